//! Words that English sentences begin with and that are therefore no names there.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Besides the stop words: interjections, adverbs, question and time words, polite forms and the verbs of commands.
const SENTENCE_STARTERS: &str = "
    absolutely actually add added afterwards again agreed ah aha all alright also although always amazing another any
    anybody anyone anything anyway anyways apparently apologies appreciate are aren't ask ate aw awesome aww back bad
    basically beautiful because been before believe besides best better big book bought bring brilliant buy bye call
    can can't certainly check cheers clearly come congrats congratulations cool could couldn't create currently dad
    damn dear definitely delete despite did didn't do does doesn't don't done dude due each earlier early easy either
    else enjoy especially even eventually ever every everybody everyone everything exactly excellent excited excuse
    family fantastic feel feeling feels felt few finally find fine first food for forget fortunately found friend
    friends from fun further generally get getting give glad go going good goodbye got gotcha gotta great had haha
    happy hard has hasn't have haven't having he he'd he'll he's hello help hence here here's hey hi hm hmm honestly
    hope hopefully hoping how how's however huh hurray i i'd i'll i'm i've if imagine impressive in indeed initially
    instead interesting is isn't it it'd it'll it's its join just keep kids kind know last lastly late lately later
    learn learned let let's life like likewise listen little lol long look looking looks lot lots love loved lovely
    luckily made mainly make makes many may maybe me mean meanwhile met might mine mom more moreover most mostly much
    music must my nah naturally near nearly need neither never nevertheless new next nice no nobody none nope normally
    not note nothing now obviously of off oh ok okay old on once one only oops open or other others otherwise ouch our
    out overall people perfect perhaps personally play please plus possibly prefer pretty previously probably put quick
    quite read reading really recently regarding remember remind reminder right run sadly said same saw say says see
    seems seen send set several she she'd she'll she's should shouldn't show similarly simply since so some somebody
    somehow someone something sometimes soon sorry sounds speaking special start started still stop such super sure
    surely take talk talking tell thank thankfully thanks that that's the their them then there there's therefore these
    they they'd they'll they're they've thing things think thinking this those though thought through thus till time
    today together tomorrow tonight too totally tried truly try trying turn two typically uh uhm um under
    unfortunately unless unlike until up update updated us use used useful user using usually very via visit visited
    wait wanna want wanted was wasn't watch watched watching way we we'd we'll we're we've welcome well went were
    weren't what what's whatever when whenever where where's whereas wherever whether which while who who's whoever
    whose why will wish with within without won't wonderful wondering work worked working would wouldn't wow write wrote
    yay yeah year years yep yes yesterday yet yo you you'd you'll you're you've your yours yup zero
";

/// Whether a word (lower case, straight apostrophes) is common at the beginning of a sentence.
pub(super) fn is_common(word: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    WORDS
        .get_or_init(|| SENTENCE_STARTERS.split_whitespace().collect())
        .contains(word)
        || crate::text::is_stop_word(word)
}
