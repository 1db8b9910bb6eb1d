//! An order that is seen through HTTP/2.

use bytes::Bytes;
use refgate::order::Standing;
use refgate::postback::State;

use crate::support::front::{Front, get};
use crate::support::http2::{Asked, Shop, ok};
use crate::support::shop::{ordinary, thanks};

#[test]
fn an_order_page_makes_its_postback() {
    let shop = Shop::new(async |mut asked: Asked| {
        if !asked.head.uri.path().starts_with("/checkout/thank-you/") {
            return asked.say("ok");
        }
        let page = Bytes::from(thanks("100017"));
        let html = [("content-type", "text/html; charset=utf-8")];
        let mut send = asked.answer.send_response(ok(&html), false).unwrap();
        for piece in page.chunks(50) {
            send.send_data(Bytes::copy_from_slice(piece), false)
                .unwrap();
        }
        send.send_data(Bytes::new(), true).unwrap();
    });
    let store = format!(
        "stores:\n  us:\n    hosts: [us.test]\n    scheme: http\n    insecure_http: true\n    \
         upstream: http://{}\n    upstream_http: \"2\"\n    currency: USD\n    \
         number_format: '1,234.56'\n    max_amount: 5000\n    consent: not_needed\n    orders: test\n    checkout: /checkout\n",
        shop.addr
    );
    let front = Front::with(&store, ordinary());
    let cookie = front.click();
    let fields = format!("Cookie: {cookie}\r\n");
    let page = front.ask(get("/checkout/thank-you/100017", &fields));
    assert!(page.complete);
    assert_eq!(page.text(), thanks("100017"));
    front.settled("100017", State::Accepted);
    let order = front.story("100017").unwrap().order;
    assert_eq!(order.standing, Standing::Credited);
    assert_eq!(order.amount.unwrap().to_string(), "1124.96 USD");
    let calls = front.calls(1);
    assert!(calls[0].target.contains("amount=1124.96"), "{calls:?}");
    // The shopper's cookie is ours alone.
    let asked = shop.asked();
    assert!(
        asked
            .iter()
            .all(|(_, fields)| !fields.contains_key("cookie"))
    );
    assert!(front.shop.asked().is_empty());
}
