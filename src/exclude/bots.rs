//! Robots that say who they are in their `User-Agent`: search engines, link unfurlers, monitors.
//!
//! Those that do not say it cannot be told from people (mail scanners send a browser's,
//! domain.md §5). People's in-app browsers (Facebook, Instagram, LINE, Pinterest, Snapchat) are
//! none of these, and neither are `curl` and `wget`, which operators try things out with.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem;

/// What a robot's name has in it, in lower case. Beside these a word that ends in `bot`.
const MARKS: [&str; 41] = [
    // Search engines and archives.
    "crawler",
    "spider",
    "slurp",
    "bingpreview",
    "mediapartners-google",
    "apis-google",
    "feedfetcher-google",
    "googleother",
    "google-inspectiontool",
    "google web preview",
    "ia_archiver",
    "yandexdirect",
    "chatgpt-user",
    "claude-user",
    "claude-web",
    "perplexity-user",
    // Links that are unfolded in chats and posts.
    "facebookexternalhit",
    "facebookcatalog",
    "meta-externalagent",
    "meta-externalfetcher",
    "skypeuripreview",
    "snap url preview",
    "slack-imgproxy",
    "vkshare",
    "embedly",
    "iframely",
    "outbrain",
    "mastodon/",
    "link preview",
    "linkpreview",
    // Monitors and headless browsers.
    "headlesschrome",
    "phantomjs",
    "chrome-lighthouse",
    "pagespeed",
    "pingdom",
    "statuscake",
    "site24x7",
    "datadogsynthetics",
    "gtmetrix",
    "elb-healthchecker",
    "kube-probe",
];

/// The same, all looked for at once.
static MARKED: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    // Built of a fixed list: a test sees that it can be.
    AhoCorasick::new(MARKS).ok()
});

/// Robots by the beginning of what they send: people's apps have the word further behind.
const BEGINNINGS: [&str; 2] = ["whatsapp/", "pinterest/0."];

/// A brand of telephones that ends like a robot.
const TELEPHONE: &[u8] = b"cu";

/// Whether a `User-Agent` is a robot's.
pub(super) fn is_bot(agent: &[u8]) -> bool {
    let agent = agent.to_ascii_lowercase();
    let begins = |begin: &&str| agent.starts_with(begin.as_bytes());
    BEGINNINGS.iter().any(begins)
        || MARKED.as_ref().is_some_and(|marks| marks.is_match(&agent))
        || has_bot(&agent)
}

/// Whether a word ends in `bot`.
fn has_bot(agent: &[u8]) -> bool {
    memmem::find_iter(agent, b"bot").any(|at| {
        let (before, after) = (agent.get(..at), agent.get(at + 3));
        !after.is_some_and(u8::is_ascii_alphabetic)
            && !before.is_some_and(|before| before.ends_with(TELEPHONE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_are_told() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
            "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "facebookexternalhit/1.1;line-poker/1.0",
            "WhatsApp/2.23.20.0 A",
            "Twitterbot/1.0",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "TelegramBot (like TwitterBot)",
            "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        ] {
            assert!(is_bot(agent.as_bytes()), "{agent}");
        }
    }

    #[test]
    fn people_are_no_robots() {
        for agent in [
            "",
            "curl/8.5.0",
            "Wget/1.21.4",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/440.0.0.31.105;FBDV/iPhone14,5]",
            "Mozilla/5.0 (Linux; Android 13; SM-G991B; wv) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/440.0.0.30.104;]",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21B80 Instagram 309.0.0.18.78",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/13.19.1",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/21B80 [Pinterest/iOS]",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Snapchat/12.60.0.41 (like Safari/8617.1.17, panda)",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [LinkedInApp]/9.28.7586",
            "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20 PRO) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 9; CUBOT_P30) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15 Ddg/17.1",
            "Mozilla/5.0 (X11; Linux x86_64) Abbott/1.0",
        ] {
            assert!(!is_bot(agent.as_bytes()), "{agent}");
        }
    }
}
