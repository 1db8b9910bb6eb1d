//! The demo's shop, network and shopper, without refgate between them.

use refgate::demo::shop::{Cents, Shop, Storefront};
use refgate::demo::shopper::{Error, Shopper};
use refgate::message::Fields;
use refgate::observe::saved::Exchange;
use reqwest::{StatusCode, Url};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::support::observe::rules;

/// A client that needs nothing of this machine, neither proxies nor certificates.
fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    client.build().unwrap()
}

/// A shop with both stores.
struct Mall {
    shop: Shop,
    us: Url,
    ca: Url,
    _open: DropGuard,
}

impl Mall {
    async fn open() -> Self {
        let us = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ca = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = |of: &TcpListener| format!("http://{}/", of.local_addr().unwrap());
        let (us_url, ca_url) = (url(&us), url(&ca));
        let (shop, shutdown, tasks) = (Shop::new(), CancellationToken::new(), TaskTracker::new());
        let front = Storefront::us(ca_url.clone());
        tasks.spawn(shop.clone().serve(us, front, shutdown.clone()));
        let front = Storefront::ca(us_url.clone());
        tasks.spawn(shop.clone().serve(ca, front, shutdown.clone()));
        Self {
            shop,
            us: us_url.parse().unwrap(),
            ca: ca_url.parse().unwrap(),
            _open: shutdown.drop_guard(),
        }
    }
}

#[tokio::test]
async fn a_shopper_buys_in_either_store_and_numbers_are_shared() {
    let mall = Mall::open().await;
    let mut shopper = Shopper::new().unwrap();
    let link = mall.us.join("/?affiliate_id=123456").unwrap();
    let tent = shopper
        .buy(link, "trail-tent", Some("WELCOME10"))
        .await
        .unwrap();
    assert_eq!(
        (tent.number.as_str(), tent.subtotal.as_str()),
        ("100001", "1,249.95")
    );
    assert_eq!(tent.discount.as_deref(), Some("124.99"));
    assert_eq!(tent.url.path(), "/checkout/thank-you/100001");
    assert!(tent.page.contains("Thank you for your order"));
    assert!(
        tent.page.contains(mall.ca.as_str()),
        "no link to the sibling"
    );

    let mut other = Shopper::new().unwrap();
    let mug = other
        .buy(mall.ca.clone(), "enamel-mug", None)
        .await
        .unwrap();
    assert_eq!(
        (mug.number.as_str(), mug.subtotal.as_str(), mug.discount),
        ("100002", "19.95", None)
    );

    let orders = mall.shop.orders();
    assert_eq!(orders.len(), 2);
    let bill = &orders[0].bill;
    assert_eq!(bill.tax, Cents(8_999));
    assert_eq!(bill.total.0, 124_995 - 12_499 + 8_999 + 995);
    assert_eq!(orders[1].currency, "CAD");
    assert_eq!(mall.shop.mangled(), 0);
}

#[tokio::test]
async fn the_shipped_rule_reads_the_shops_confirmation() {
    let rules = rules(include_str!("../../proxy.yaml"));
    let mall = Mall::open().await;
    let trips = [
        (
            &mall.us,
            "store-us.localhost",
            Some("WELCOME10"),
            "1124.96 USD",
        ),
        (&mall.us, "store-us.localhost", None, "1249.95 USD"),
        (
            &mall.ca,
            "store-ca.localhost",
            Some("WELCOME10"),
            "1529.96 CAD",
        ),
    ];
    for (store, host, coupon, amount) in trips {
        let mut shopper = Shopper::new().unwrap();
        let bought = shopper
            .buy(store.clone(), "trail-tent", coupon)
            .await
            .unwrap();
        let mut headers = shopper.steps().last().unwrap().headers.clone();
        headers.remove("content-encoding");
        let fields = headers.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let readings = rules.read(&Exchange {
            host: host.to_owned(),
            method: reqwest::Method::GET,
            path: bought.url.path().to_owned(),
            query: None,
            request_fields: Fields::default(),
            status: StatusCode::OK,
            fields: fields.collect(),
            body: bought.page.into(),
        });
        assert_eq!(readings.len(), 1);
        let reading = &readings[0];
        assert_eq!(reading.order_id.as_ref().unwrap().as_str(), bought.number);
        assert_eq!(reading.amount.unwrap().to_string(), amount);
        assert_eq!((reading.faults.len(), reading.doubt), (0, None));
    }
}

#[tokio::test]
async fn a_confirmation_is_for_its_own_session_as_often_as_it_likes() {
    let mall = Mall::open().await;
    let mut shopper = Shopper::new().unwrap();
    let bought = shopper
        .buy(mall.us.clone(), "camp-stove", None)
        .await
        .unwrap();
    let (_, again) = shopper.open(bought.url.clone()).await.unwrap();
    assert_eq!(again, bought.page);
    let placing = &shopper.steps()[shopper.steps().len() - 3];
    assert_eq!(placing.status, StatusCode::SEE_OTHER);

    let mut stranger = Shopper::new().unwrap();
    let refused = stranger.open(bought.url).await;
    assert!(matches!(
        refused,
        Err(Error::Status {
            status: StatusCode::NOT_FOUND,
            ..
        })
    ));
    assert_eq!(mall.shop.orders().len(), 1);
}

#[tokio::test]
async fn the_shopper_knows_where_localhost_is() {
    let mall = Mall::open().await;
    let mut link = mall.us.clone();
    link.set_host(Some("store-us.localhost")).unwrap();
    let mut shopper = Shopper::new().unwrap();
    shopper.open(link.clone()).await.unwrap();
    let host = &mall.shop.requests()[0].headers["host"];
    assert!(host.to_str().unwrap().starts_with("store-us.localhost:"));
    link.set_host(Some("shop.example")).unwrap();
    assert!(matches!(shopper.open(link).await, Err(Error::Request(_))));
}

#[tokio::test]
async fn a_mangled_cookie_is_noticed() {
    let mall = Mall::open().await;
    let client = client();
    let cookie = r#"sid=x; prefs="view=grid""#;
    client
        .get(mall.us.clone())
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(mall.shop.mangled(), 1);
    assert_eq!(mall.shop.requests()[0].headers["cookie"], cookie);
}

#[tokio::test]
async fn gzip_is_for_those_who_ask() {
    let mall = Mall::open().await;
    let client = client();
    for (asked, given) in [
        ("gzip, br", true),
        ("br, gzip;q=0", false),
        ("identity", false),
    ] {
        let request = client.get(mall.us.clone()).header("accept-encoding", asked);
        let response = request.send().await.unwrap();
        let zipped = response.headers().get("content-encoding").is_some();
        assert_eq!(zipped, given, "{asked}");
        assert!(response.headers().get_all("set-cookie").iter().count() >= 3);
    }
}
