//! What the shop sells, and what becomes of it: cart, coupon, tax, shipping, order.

use std::fmt;

/// What goes into a cart at most.
const CART_LIMIT: usize = 20;

/// The one coupon: a tenth off.
const COUPON: &str = "WELCOME10";

/// An amount in hundredths; prints as `1,249.95`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub u64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, cents) = (self.0 / 100, self.0 % 100);
        match (whole / 1000, whole % 1000) {
            (0, rest) => write!(f, "{rest}.{cents:02}"),
            (thousands, rest) => write!(f, "{thousands},{rest:03}.{cents:02}"),
        }
    }
}

/// One store of the shop.
#[derive(Clone, Debug)]
pub struct Storefront {
    /// Its name in the pages.
    pub title: &'static str,
    /// What its prices are in.
    pub currency: &'static str,
    /// Tax on what is paid for the goods, in percent.
    pub tax: u64,
    /// For every order.
    pub shipping: Cents,
    /// Which of a product's prices are its.
    price: fn(&Product) -> Cents,
    /// The other store's address, as shoppers reach it.
    pub sibling: String,
}

impl Storefront {
    /// The store in the United States, which links to `sibling`.
    pub fn us(sibling: impl Into<String>) -> Self {
        Self {
            title: "Fernhill Outfitters US",
            currency: "USD",
            tax: 8,
            shipping: Cents(995),
            price: |product| product.usd,
            sibling: sibling.into(),
        }
    }

    /// The store in Canada, which links to `sibling`.
    pub fn ca(sibling: impl Into<String>) -> Self {
        Self {
            title: "Fernhill Outfitters Canada",
            currency: "CAD",
            tax: 13,
            shipping: Cents(1495),
            price: |product| product.cad,
            sibling: sibling.into(),
        }
    }

    /// What a product costs here.
    pub(super) fn price(&self, product: &Product) -> Cents {
        (self.price)(product)
    }
}

/// Something to buy.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    usd: Cents,
    cad: Cents,
}

/// All there is.
pub(super) const PRODUCTS: [Product; 4] = [
    Product {
        slug: "camp-stove",
        name: "Camp stove",
        about: "Boils a litre in four minutes, packs into its own pot.",
        usd: Cents(6_890),
        cad: Cents(9_290),
    },
    Product {
        slug: "trail-tent",
        name: "Trail tent for two",
        about: "Three seasons, two doors, one storm tested.",
        usd: Cents(124_995),
        cad: Cents(169_995),
    },
    Product {
        slug: "wool-blanket",
        name: "Wool blanket",
        about: "Woven thick, for the night the fire goes out.",
        usd: Cents(12_450),
        cad: Cents(16_800),
    },
    Product {
        slug: "enamel-mug",
        name: "Enamel mug",
        about: "Chips like they all do. Keeps going like few do.",
        usd: Cents(1_495),
        cad: Cents(1_995),
    },
];

/// The product of that slug.
pub(super) fn find(slug: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.slug == slug)
}

/// What one visitor has in the cart.
#[derive(Debug, Default)]
pub(super) struct Session {
    cart: Vec<&'static Product>,
    coupon: bool,
}

impl Session {
    pub(super) const fn is_empty(&self) -> bool {
        self.cart.is_empty()
    }

    pub(super) fn add(&mut self, slug: &str) {
        if let Some(product) = find(slug)
            && self.cart.len() < CART_LIMIT
        {
            self.cart.push(product);
        }
    }

    pub(super) fn redeem(&mut self, code: &str) {
        self.coupon = code.trim().eq_ignore_ascii_case(COUPON);
    }

    /// The lines and what they come to.
    pub(super) fn bill(&self, store: &Storefront) -> Bill {
        let line = |product: &&'static Product| (product.name, store.price(product));
        let lines: Vec<_> = self.cart.iter().map(line).collect();
        let subtotal = lines.iter().map(|(_, price)| price.0).sum();
        let discount = if self.coupon { subtotal / 10 } else { 0 };
        let tax = (subtotal - discount) * store.tax / 100;
        Bill {
            lines,
            subtotal: Cents(subtotal),
            discount: Cents(discount),
            tax: Cents(tax),
            shipping: store.shipping,
            total: Cents(subtotal - discount + tax + store.shipping.0),
        }
    }

    /// Buys what is in the cart and empties it; none if there is nothing in it.
    pub(super) fn order(&mut self, number: u64, sid: &str, store: &Storefront) -> Option<Order> {
        if self.is_empty() {
            return None;
        }
        let bill = self.bill(store);
        *self = Self::default();
        Some(Order {
            number,
            currency: store.currency,
            bill,
            sid: sid.to_owned(),
        })
    }
}

/// What a cart comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Name and price of each thing.
    pub lines: Vec<(&'static str, Cents)>,
    /// What they cost together.
    pub subtotal: Cents,
    /// What the coupon takes off.
    pub discount: Cents,
    /// On the subtotal less the discount.
    pub tax: Cents,
    /// The store's.
    pub shipping: Cents,
    /// What the shopper pays.
    pub total: Cents,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number: one row for both stores.
    pub number: u64,
    /// What its prices are in.
    pub currency: &'static str,
    /// What was bought.
    pub bill: Bill,
    /// Whose it is.
    sid: String,
}

impl Order {
    /// Whether the session of that id bought it.
    pub(super) fn is_of(&self, sid: &str) -> bool {
        self.sid == sid
    }
}
