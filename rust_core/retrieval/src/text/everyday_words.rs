//! Words that everybody uses and that are therefore not misspelt because the searched memories do without them.

use std::collections::HashSet;
use std::sync::OnceLock;

use foldhash::fast::RandomState;

use super::terms;

/// The English words that are used most, besides stop words. Of each family one: they are compared by their stems.
const EVERYDAY_WORDS: &str = "
    ability able about above accept access accident accord account across action active activity actual addition
    address admit adult advance advantage advice affect afford afraid afternoon aged agency agent agree agreement
    ahead air airport alive allow alone along among amount analysis ancient anger angle angry animal announce annual
    answer anymore anyone anything apart apartment apologize appear apple application apply appoint approach approve
    approximate april area aren argue argument arise arm army around arrange arrival arrive art article artist aside
    ask asleep aspect assist associate assume attack attempt attend attention attitude attract audience august aunt
    author authority autumn available average avoid awake award aware away baby background bag bake balance ball
    band bank bar base basic basis basket bath battle beach bear beat became become bed bedroom beer began begin
    beginning begun behave behavior behind belief believe belong below belt bench bend beneath benefit beside beyond
    bicycle big bike bill billion bird birth birthday bit bite bitter black blame blind block blood blow board boat
    body boil bond bone book boot border boring born borrow boss bother bottle bottom bought bowl box boy brain
    branch brave bread break breakfast breath breathe brick bridge brief bright bring broad broke broken brother
    brought brown brush budget build building built burn burst bus bush business button cake calculate call calm
    came camera camp campaign cancel cancer candidate cap capable capital captain capture career careful carry case
    cash cat category caught cause celebrate cell cent center central centre century ceremony certain chain chair
    challenge champion championship chance change channel chapter character charge chart cheap cheat cheese chest
    chicken chief child childhood children chocolate choice choose chose chosen christmas church circle citizen city
    civil claim class classic clean climate climb clock closed cloth clothes cloud club coach coast coat code coffee
    cold collect collection college color column combat combine come comedy comfort comfortable comic command
    comment commercial commit committee common communicate community company compare comparison compete competition
    complain complete complex composition computer concentrate concept concern concert conclude conclusion condition
    conduct conference confidence confirm conflict confuse congress connect connection consider consist constant
    constitution construct contact contain content contest context continue contract contrast contribute control
    conversation convert convince cook cookie cool copy core corner correct cost cotton cough couldn council country
    countryside couple courage course court cousin cover cow cream create creation creative credit crime crisis
    criticize cross crowd crown cry culture cup cure curious current curtain customer cut cycle dad daily damage
    danger dangerous dare dark data date daughter dead deal dealt death debate debt debut decade december decide
    decision deep defeat defence defend define degree delay deliver demand deny department depend deposit deputy
    describe description desert deserve design desire desk destroy detail determine develop development device diary
    dictionary didn die diet difference different difficult difficulty dig digital dinner direct direction director
    dirty disappear disappoint discount discover discuss discussion disease dish distance divide doctor document
    doesn dog dollar domestic door doubt down dozen draft drag dragon drama draw drawer drawn dream dress drew drink
    drive driven driver drop drove drug dry during dust duty eager ear early earn earth east easy eat economy edge
    edit educate education effect effective effort egg eight eighth elder elect electric element elementary eleven
    email emergency emotion employ employee empty encourage end enemy energy engaged engine engineer enjoy enough
    enter entertain entire entrance environment environmental episode equal equipment error escape essay establish
    estimate evening event evidence evil exam examine example except exchange excite exercise exist expand expect
    expense expensive experience experiment expert explain explanation explore express expression extend extensive
    extra extreme eye face facility fact factor factory fail failure faith fall fallen false fame familiar family
    famous fan farm farmer fashion fast fat father fault favor favorite fear feature february fee feed feel fell
    felt female fence festival fever field fifteen fifth fifty fight figure file fill film final finance financial
    find finger finish fire firm fish fit fix flag flat flavor flew flight float floor flow flower flown fly focus
    fold follow food foot football force foreign forest forever forgive forgot forgotten fork form formal formation
    former forth forty forward fought found foundation fourth frame freedom freeze fresh friday fridge friend
    friendly friendship front froze frozen fruit fuel function fund funny furniture future gain gallery game garage
    garden gas gate gather gave gay gender general generation gentle gift girl give given glass global glove goal
    god gold golden gone good government governor grade gradual graduate grand grandfather grandmother grant grass
    gray great greek green greet grew ground group grow grown growth guarantee guard guest guide guilty guitar gun
    gym habit hadn hair half hall hammer hand handle hang happen happy hard harm hat hate haven head headache health
    healthy hear heard heart heat heaven heavy height held help heritage hero hesitate hid hidden hide high hike
    hill hire historical history hit hobby hold hole holiday holy home horror horse hospital host hotel hour house
    household human humor hundred hunt hunter hurry hurt husband ice idea ideal identify identity ignore ill illness
    image imagine immediate impact importance important impossible impress improve improvement inch incident include
    income increase independent indicate individual industry influence inform information initial injure injury
    inside insist inspire instance instead institute instruction instrument insurance intelligent intend intention
    interest interior international internet interview introduce introduction invent invest investigate invite
    involve iron island isn issue item jacket january jealous jewel job join joke journal journalist journey joy
    judge juice july jump junction june junior justice keep kept key kick kid kill kilometer kind king kiss kitchen
    knee knew knife knock knowledge known label labor lack lady laid lake lamp land lane language large last late
    latter laugh launch law lawyer lay layer lazy lead leader leadership leaf lean learn leather leave lecture led
    left leg legal legend leisure lend length lent less lesson letter level library license lie life lift light like
    limit line link lip list listen literature little live local location lock log lonely long look loose lose loss
    lost loud love lower luck lunch lyrics machine made magazine magic mail main maintain major make male man manage
    manager manner many map march mark market marriage married marry mass master match material math matter maximum
    meal meaning meant measure meat media medical medicine medium meet meeting member memory mention menu mess
    message metal meter method metre middle midnight mile military milk million minimum minister ministry minor
    minute mirror miss mission mistake mobile mode model moderate modern mom moment monday money monitor month mood
    moon moral more morning most mother motion motor mountain mouse mouth move movement movie much multiple mum
    murder museum musical musician mystery name narrow nation national native natural near nearby necessary neck
    need negative neighbor neighborhood nerve nervous network new news newspaper nice night nine ninth noise noisy
    noon normal north nose notable note notebook notice novel november nowadays number numerous nurse object observe
    obtain obvious occasion occur ocean october offer office officer official oil old ongoing online onto operate
    operation opinion opportunity oppose opposite option orange order ordinary organization organize origin original
    outcome outdoor outside oven overcome owe own owner pace pack package page paid pain paint painter pair pale pan
    panel paper parent park part participate particular partner party pass passage passenger passion past path
    patience patient pattern pause pay payment peace peak pen pencil people percent perform performance period
    permanent permission permit person personal personality persuade pet phase philosophy phone photo photograph
    phrase physical piano pick picnic picture piece pig pile pilot pink pipe place plain plan plane planet plant
    plastic plate platform play player pleasant pleasure plenty pocket poem poet poetry point poison police policy
    polite political politician politics pool poor pop popular population portion position positive possess
    possibility possible post pot potato potential pound pour power powerful practical practice praise pray predict
    prefer preference prepare presence present president press pressure pretend prevent previous price pride primary
    prime principal principle print prior priority prison private prize problem procedure process produce product
    production profession professional professor profile profit program progress project prominent promise promote
    pronounce proof proper property propose protect protest prove provide psychology public publish pull punish
    purchase pure purple purpose push puzzle quality quantity quarter queen question quick quickly quiet quit quote
    rabbit race radio rail railway rain raise rang range rank rapid rare rate rather raw reach react reaction read
    reader ready real reality realize really rear reason receive recent recipe recognize recommend recommendation
    record recover red reduce refer reflect refuse region register regret regular reject relate relation
    relationship relative relax release relevant relief religion religious rely remain remark remote remove rent
    repair repeat replace reply report represent republic request require requirement rescue research reserve
    resident resist resolve resource respect respond response responsibility responsible rest restaurant result
    retire retired return reveal review reward rhythm rice rich ridden ride right ring rise risk river road rock
    rode role roll romance romantic roof room root rope rose rough round route routine row royal rub rubbish ruin
    rule rural rush sad sail salad salary sale salt sand sandwich sang sank satisfy saturday sauce save scale scare
    scared scene schedule scheme school science scientist score scream screen script sea search season seat second
    secret secretary section sector secure security seek seem select self sell semi send senior sense sensitive sent
    sentence separate september sequence serious servant serve service session settle settlement seven several
    severe sex shadow shake shall shape share sharp sheet shelf shell shelter shift shine ship shirt shock shoe
    shook shoot shop shore short shot shoulder shout show shower shown shut shy sight sign signal significant
    silence silent silver similar sing singer single sink sister site situation sixth sixty size skill skin skirt
    sky sleep slept slide slight slip slow small smart smell smile smoke smooth snow soap soccer social society sock
    soft software soil sold soldier solid solution solve somewhere song sort sought soul sound soup source south
    space spare speak species specific speech speed spell spend spent spirit spiritual split spoil spoke spoken
    spoon sport spot spread spring squad square stable stadium staff stage stair stamp stand standard star stare
    start state statement station status stay steady steal steel step stick stock stole stolen stomach stone stood
    stop store storm story straight strange stranger strategy stream street strength stress stretch strike string
    strip struck structure struggle stuck student studio study stuff stupid style subject submit subsequent succeed
    success successful sudden suffer sugar suggest suggestion suit suitable sum summary summer sun sunday sung
    supply support suppose sure surface surgery surprise surround survey survive suspect suspicion swam sweater
    swept swim switch swore swung symbol system table tail take taken talent tall tank target task taught tax tea
    teach teacher team tear technical technique technology teenager teeth telephone television tell temperature
    temple temporary tend tennis tension term terms terrible territory test text theater theatre theme theory
    therapy thick thin thing think third thirteen thirty thought thousand threat threw throat throw thrown thursday
    ticket tidy tie tight time tiny tip title told tone tongue took tool tooth top topic total touch tour tourist
    toward towel tower town toy track trade tradition traditional traffic trail train transfer transport trash
    travel treat treatment treaty tree trend trial tribe trick tried trip troops trouble truck true trust truth try
    tuesday tunnel turn twelve twenty type typical ugly ultimate uncle underground understand understood union
    unique unit united unity universe university unknown unusual update upon upset urban urge vacation valley
    valuable value vampire van variety various vast vegetable vehicle version vessel vice victory video view village
    violence violent visible vision visit visitor visual vocabulary voice volume volunteer vote wage wait waiter
    wake walk wall want war ward warm warn wash wasn waste watch water wave weak wealth weapon wear weather web
    website wedding wednesday week weekend weekly weigh weight wept weren west western wet wheel white whole wide
    wife wild willing win wind window wine wing winner winter wire wise wish witness woke wolf woman women won
    wonder wood wooden wool word wore work worker world worn worry worth wouldn wound wrap wrestling write writer
    written wrong wrote yard year yellow yesterday young youth zone
";

/// Whether a term is that of a word which everybody uses.
pub(crate) fn is_everyday(term: &str) -> bool {
    static TERMS: OnceLock<HashSet<String, RandomState>> = OnceLock::new();
    TERMS
        .get_or_init(|| terms(EVERYDAY_WORDS).into_iter().collect())
        .contains(term)
}

#[cfg(test)]
mod tests {
    use super::is_everyday;
    use crate::text::terms;

    #[test]
    fn every_form_of_an_everyday_word_is_one() {
        for word in ["order", "Ordering", "cities", "statuses", "hiding"] {
            assert!(is_everyday(&terms(word)[0]), "{word}");
        }
        for word in ["violin", "Melanie", "desing", "kubernetes"] {
            assert!(!is_everyday(&terms(word)[0]), "{word}");
        }
    }
}
