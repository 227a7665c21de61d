//! Words that English sentences begin with and that are therefore no names there.

use std::collections::HashSet;
use std::sync::OnceLock;

use foldhash::fast::RandomState;

/// Besides the stop words: interjections, adverbs, question and time words, polite forms and the verbs of commands.
const SENTENCE_STARTERS: &str = "
    absolutely actually add added afterwards again agreed ah aha all almost alright also although always amazing
    another any anybody anyone anything anytime anyway anyways apologies apparently appreciate appreciated are aren't
    art ask ate aw awesome aww awww back bad balance basically beautiful because been before believe besides best bet
    better big blue book books both bought brilliant bring bummer busy buy bye call can can't care catch certainly
    change chat check checked cheers cherish clear clearly close come congrats congratulations cool could couldn't
    count crazy create currently cute dad damn dance deal dear definitely delete despite did didn't do does doesn't
    don't done dreams dude due each earlier early easy either else enjoy especially even events eventually ever every
    everybody everyone everything everywhere exact exactly excellent excited excuse fair family fantastic far feel
    feeling feels felt few finally find fine fingers first five folks food for forget fortunately found four free
    friend friends from full fun further gee generally get getting give gives glad go going gonna good goodbye got
    gotcha gotta grateful great guess guys ha had haha hahaha hang happens happy hard hardly has hasn't have haven't
    having he he'd he'll he's hello help hence here here's hey hi highly hm hmm hold home honest honestly hope
    hopefully hoping how how's however huge huh hungry hurray i i'd i'll i'm i've if imagine impressive in indeed
    initially inspired instead interesting is isn't it it'd it'll it's its join just keep keeps kids kind kinda know
    last lastly late lately later learn learned let let's life like likewise listen little live lol long look looking
    looks lot lots love loved lovely luckily lucky made mainly make makes many may maybe me mean meanwhile mental met
    might mind mine mixed mm mmm mom moments more moreover mornin morning most mostly much music must my nah naturally
    nature near nearly need neither never nevertheless new next nice nights no nobody none nope normally not note
    nothing now obviously of off oh ok okay old omg on once one only oof ooh oops open or other others otherwise ouch
    ought our out overall part people perfect perhaps personally pets phew play please plus possibly prefer pretty
    previously probably proud put quick quite read reading real really recently regarding remember remind reminder
    reminds right run sadly safe said same saw say says see seems seen send seriously set several she she'd she'll
    she's short should shouldn't show sick similarly simple simply since six small so social some somebody somehow
    someone something sometime sometimes soon sorry sort sounds speaking special start started stay steps still stop
    strong stuff such super sure surely sweet take talk talking taste tell ten thank thankfully thanks that that'd
    that's the their them then there there's therefore these they they'd they'll they're they've thing things think
    thinking this those though thought three through thus till time tired today together tomorrow tonight too took
    totally tough tried trips true truly trust try trying turn twice two typically ugh uh uhm um under unfortunately
    unless unlike until up update updated us use used useful user using usual usually very via visit visited wait
    wanna want wanted was wasn't watch watched watching way we we'd we'll we're we've welcome well went were weren't
    what what's whatever when whenever where where's whereas wherever whether which while who who's whoa whoever whose
    why will wish with within without woah won't wonderful wondering woo woohoo word words work worked working worse
    worst would wouldn't wow write wrote yay yea yeah year years yep yes yesterday yet yikes yo you you'd you'll
    you're you've your yours yum yummy yup zero
";

/// Endings of contractions: what bears one is no name.
const CONTRACTED: [&str; 5] = ["'ve", "'re", "'d", "'ll", "n't"];
/// The shortest present participle that counts as one: `doing`, but not `king` or `Ming`.
const SHORTEST_PARTICIPLE: usize = 5;

/// Whether a word (lower case, straight apostrophes) is common at the beginning of a sentence: one of the list, a stop
/// word, a contraction or a participle (`Painting helps`). The last costs names such as `Sterling` where a sentence
/// begins with them.
pub(crate) fn is_common(word: &str) -> bool {
    let is_participle = word.len() >= SHORTEST_PARTICIPLE && word.ends_with("ing");
    let is_contracted = CONTRACTED.iter().any(|ending| word.ends_with(ending));
    is_starter(word) || is_participle || is_contracted || crate::text::is_stop_word(word)
}

/// Whether a word (lower case, straight apostrophes) is one of the list.
pub(crate) fn is_starter(word: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str, RandomState>> = OnceLock::new();
    let starters = WORDS.get_or_init(|| SENTENCE_STARTERS.split_whitespace().collect());
    starters.contains(word)
}
