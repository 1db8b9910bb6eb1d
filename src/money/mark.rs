//! The signs and codes that stand beside an amount, and what they may mean.

use std::fmt;

use super::Currency;

/// What the signs and codes beside an amount may mean: `$` is many currencies,
/// `US$` and `USD` are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    text: String,
    currencies: Vec<Currency>,
}

impl Mark {
    /// Whether it may stand for `currency`.
    pub fn allows(&self, currency: Currency) -> bool {
        self.currencies.contains(&currency)
    }

    /// Every currency it may stand for; none if two marks contradict each other.
    pub fn currencies(&self) -> &[Currency] {
        &self.currencies
    }

    /// What `text` may mean; nothing if it is no sign or code.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = SIGNS
            .iter()
            .find(|(sign, _)| sign.eq_ignore_ascii_case(text));
        let codes = match known {
            Some((_, codes)) => codes,
            None => CODES.split(' ').find(|code| *code == text)?,
        };
        let currencies = codes
            .split(' ')
            .filter_map(|code| code.parse().ok())
            .collect();
        Some(Self {
            text: text.to_owned(),
            currencies,
        })
    }

    /// Two marks of one amount: what both allow.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.text = format!("{} {}", self.text, other.text);
        self.currencies
            .retain(|currency| other.currencies.contains(currency));
        self
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Signs as shops print them (Unicode CLDR, `common/main`: symbol and narrow symbol).
const SIGNS: &[(&str, &str)] = &[
    (
        "$",
        "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP UYU BBD BMD BSD BZD FJD JMD TTD XCD",
    ),
    ("US$", "USD"),
    ("U.S.$", "USD"),
    ("C$", "CAD NIO"),
    ("CA$", "CAD"),
    ("CAD$", "CAD"),
    ("CDN$", "CAD"),
    ("A$", "AUD"),
    ("AU$", "AUD"),
    ("NZ$", "NZD"),
    ("S$", "SGD"),
    ("SG$", "SGD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("MX$", "MXN"),
    ("R$", "BRL"),
    ("AR$", "ARS"),
    ("CL$", "CLP"),
    ("CO$", "COP"),
    ("€", "EUR"),
    ("Euro", "EUR"),
    ("£", "GBP GIP FKP SHP EGP"),
    ("¥", "JPY CNY"),
    ("￥", "JPY CNY"),
    ("CN¥", "CNY"),
    ("JP¥", "JPY"),
    ("円", "JPY"),
    ("元", "CNY TWD HKD"),
    ("₹", "INR"),
    ("Rs", "INR PKR LKR NPR MUR SCR"),
    ("Rs.", "INR PKR LKR NPR MUR SCR"),
    ("kr", "SEK NOK DKK ISK"),
    ("kr.", "SEK NOK DKK ISK"),
    ("zł", "PLN"),
    ("Kč", "CZK"),
    ("Ft", "HUF"),
    ("lei", "RON MDL"),
    ("лв", "BGN"),
    ("лв.", "BGN"),
    ("ден", "MKD"),
    ("дин.", "RSD"),
    ("KM", "BAM"),
    ("₽", "RUB"),
    ("руб.", "RUB BYN"),
    ("₴", "UAH"),
    ("грн", "UAH"),
    ("грн.", "UAH"),
    ("₺", "TRY"),
    ("TL", "TRY"),
    ("₾", "GEL"),
    ("₼", "AZN"),
    ("₸", "KZT"),
    ("₪", "ILS"),
    ("₩", "KRW KPW"),
    ("원", "KRW"),
    ("฿", "THB"),
    ("₫", "VND"),
    ("đ", "VND"),
    ("₱", "PHP CUP"),
    ("Rp", "IDR"),
    ("RM", "MYR"),
    ("R", "ZAR"),
    ("Fr", "CHF XOF XAF XPF"),
    ("Fr.", "CHF XOF XAF XPF"),
    ("SFr.", "CHF"),
    ("₦", "NGN"),
    ("₵", "GHS"),
    ("GH₵", "GHS"),
    ("KSh", "KES"),
    ("₡", "CRC"),
    ("₲", "PYG"),
    ("S/", "PEN"),
    ("S/.", "PEN"),
    ("Bs", "BOB VES"),
    ("Dhs", "AED MAD"),
    ("Dhs.", "AED MAD"),
    ("د.إ", "AED"),
    ("ر.س", "SAR"),
    ("د.ك", "KWD"),
    ("﷼", "SAR YER OMR QAR IRR"),
];

/// The currencies in use (ISO 4217, list one, without funds and metals).
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB \
    BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB \
    EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD \
    JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP \
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON \
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_may_mean_several_currencies() {
        let usd: Currency = "USD".parse().unwrap();
        let cad: Currency = "CAD".parse().unwrap();
        let cases = [
            ("$", true, true),
            ("US$", true, false),
            ("C$", false, true),
            ("CAD", false, true),
            ("€", false, false),
        ];
        for (text, is_usd, is_cad) in cases {
            let mark = Mark::parse(text).unwrap();
            assert_eq!(
                (mark.allows(usd), mark.allows(cad)),
                (is_usd, is_cad),
                "{text}"
            );
        }
        assert_eq!(Mark::parse("Total:"), None);
        assert_eq!(Mark::parse("VAT"), None);
        assert_eq!(Mark::parse("the"), None);
    }

    #[test]
    fn every_code_of_the_tables_is_a_currency() {
        let signs = SIGNS.iter().flat_map(|(_, codes)| codes.split(' '));
        let codes: Vec<&str> = CODES.split(' ').collect();
        for code in signs {
            assert!(codes.contains(&code), "{code}");
        }
        assert!(codes.iter().all(|code| code.parse::<Currency>().is_ok()));
    }
}
