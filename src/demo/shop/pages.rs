//! The shop's pages. Nothing that a visitor sends is ever written into one.

use super::goods::{Bill, Order, PRODUCTS, Product, Session, Storefront};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

pub(super) fn home(store: &Storefront) -> String {
    let mut cards = String::new();
    for product in &PRODUCTS {
        let Product {
            slug, name, about, ..
        } = product;
        let price = store.price(product);
        cards.push_str(&format!(
            "<article><h2><a href=\"/product/{slug}\">{name}</a></h2><p>{about}</p>\
             <p class=\"price\">${price}</p>{}</article>\n",
            buy(slug)
        ));
    }
    page(
        store,
        "Everything for outside",
        &format!("<div class=\"cards\">\n{cards}</div>"),
    )
}

pub(super) fn product(store: &Storefront, product: &Product) -> String {
    let Product {
        slug, name, about, ..
    } = product;
    let price = store.price(product);
    let body = format!(
        "<p>{about}</p>\n<p class=\"price\">${price}</p>\n{}",
        buy(slug)
    );
    page(store, name, &body)
}

pub(super) fn cart(store: &Storefront, session: &Session) -> String {
    if session.is_empty() {
        return page(
            store,
            "Your cart is empty",
            "<p><a href=\"/\">Find something</a></p>",
        );
    }
    let body = format!(
        "{}\n<p><a class=\"button\" href=\"/checkout\">Go to checkout</a></p>",
        totals(store, &session.bill(store))
    );
    page(store, "Your cart", &body)
}

pub(super) fn checkout(store: &Storefront, session: &Session) -> String {
    let body = format!(
        "{}\n\
         <form method=\"post\" action=\"/cart/coupon\"><label>Coupon \
         <input name=\"code\" placeholder=\"WELCOME10\"></label> <button class=\"quiet\">Use it</button></form>\n\
         <form method=\"post\" action=\"/checkout\" class=\"address\">\n\
         <label>Name <input name=\"name\" value=\"Robin Demo\"></label>\n\
         <label>Street <input name=\"street\" value=\"1 Loopback Lane\"></label>\n\
         <button>Place order</button></form>",
        totals(store, &session.bill(store))
    );
    page(store, "Checkout", &body)
}

pub(super) fn thanks(store: &Storefront, order: &Order) -> String {
    let body = format!(
        "<p>Your order number is <strong id=\"order-number\">{}</strong>. \
         A confirmation is on its way, in a manner of speaking.</p>\n{}\n\
         <p><a href=\"/\">Back to the shop</a></p>",
        order.number,
        totals(store, &order.bill)
    );
    page(store, "Thank you for your order", &body)
}

pub(super) fn nothing(store: &Storefront, words: &str) -> String {
    page(store, words, "<p><a href=\"/\">To the shop</a></p>")
}

fn buy(slug: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/cart\"><input type=\"hidden\" name=\"product\" value=\"{slug}\">\
         <button name=\"buy\" value=\"now\">Buy now</button> \
         <button class=\"quiet\">Add to cart</button></form>"
    )
}

fn totals(store: &Storefront, bill: &Bill) -> String {
    let mut rows = String::new();
    for (name, price) in &bill.lines {
        rows.push_str(&format!(
            "<tr class=\"line\"><th>{name}</th><td>${price}</td></tr>\n"
        ));
    }
    let mut sums = vec![("subtotal", "Subtotal", bill.subtotal)];
    if bill.discount.0 > 0 {
        sums.push(("discount", "Discount", bill.discount));
    }
    sums.push(("tax", "Tax", bill.tax));
    sums.push(("shipping", "Shipping", bill.shipping));
    sums.push(("total", "Total", bill.total));
    for (class, name, amount) in sums {
        rows.push_str(&format!(
            "<tr class=\"{class}\"><th>{name}</th><td>${amount}</td></tr>\n"
        ));
    }
    let currency = store.currency;
    format!("<table id=\"totals\">\n<caption>Prices in {currency}</caption>\n{rows}</table>")
}

fn page(store: &Storefront, title: &str, body: &str) -> String {
    let Storefront {
        title: shop,
        sibling,
        currency,
        ..
    } = store;
    let other = if *currency == "USD" {
        "Canada"
    } else {
        "United States"
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} – {shop}</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n\
         <header><a href=\"/\" class=\"shop\">{shop}</a> <nav><a href=\"/cart\">Cart</a> \
         <a href=\"{sibling}\" class=\"sibling\">Shop in {other}</a></nav></header>\n\
         <main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
}
