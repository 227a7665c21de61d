//! Words that everybody uses and that are therefore not misspelt because the searched memories do without them.

use std::collections::HashSet;
use std::sync::OnceLock;

use foldhash::fast::RandomState;

use super::terms;

/// The English words that are used most, besides stop words. Of each family one: they are compared by their stems.
const EVERYDAY_WORDS: &str = "
    ability able about above accept access accident accord account across action active activity actual addition
    address admit adult advance advantage advice affect afford afraid afternoon agency agent agree agreement ahead
    air airport alive allow alone along amount ancient anger angle angry animal announce annual answer apart
    apartment apologize appear apple application apply appoint approach approve april area argue argument arise arm
    army around arrange arrival arrive article artist aside asleep aspect assist assume attack attempt attend
    attention attitude attract audience august aunt author authority autumn available average avoid awake award
    aware away baby background bag bake balance ball band bank bar base basic basis basket bath battle beach bear
    beat bed bedroom beer beginning behave behavior behind belief belong below belt bench bend benefit beside beyond
    bicycle bike bill bird birth birthday bit bite bitter black blame blind block blood blow board boat body boil
    bond bone boot border boring born borrow boss bother bottle bottom bowl box boy brain branch brave bread break
    breakfast breath breathe brick bridge brief bright broad brother brown brush budget build building burn burst
    bus bush button cake calculate calm camera camp campaign cancel cancer candidate cap capable capital captain
    capture career careful carry case cash cat category cause celebrate cell cent center central century chain chair
    challenge chance chapter character charge cheap cheat cheese chest chicken chief child childhood chocolate
    choice choose christmas church circle citizen city claim class classic clean climate climb clock cloth clothes
    cloud club coach coast coat code coffee cold collect collection college color column combine comfort comfortable
    command comment commercial commit committee common communicate community company compare comparison compete
    competition complain complete complex computer concentrate concept concern concert conclude conclusion condition
    conduct conference confidence confirm conflict confuse connect connection consider consist constant contact
    contain content contest context continue contract contrast contribute control conversation convert convince cook
    cookie cool copy corner correct cost cotton cough council country countryside couple courage course court cousin
    cover cow cream create creative credit crime crisis criticize cross crowd cry culture cup cure curious current
    curtain customer cut cycle daily damage danger dangerous dare dark data date daughter dead deal death debate
    debt decade december decide decision deep defeat defend define degree delay deliver demand deny department
    depend deposit describe description desert deserve design desire desk destroy detail determine develop
    development device diary dictionary die diet difference different difficult difficulty dig dinner direct
    direction director dirty disappear disappoint discount discover discuss discussion disease dish distance divide
    doctor document dog dollar door doubt down dozen draft drag drama draw drawer dream dress drink drive driver
    drop drug dry during dust duty eager ear earn earth east eat economy edge edit educate education effect
    effective effort egg eight eighth elder elect electric element eleven email emergency emotion employ employee
    empty encourage end enemy energy engine engineer enough enter entertain entire entrance environment equal
    equipment error escape essay establish estimate evening event evidence evil exam examine example except exchange
    excite exercise exist expand expect expense expensive experience experiment expert explain explanation explore
    express expression extra extreme eye face fact factor factory fail failure faith fall false familiar famous fan
    farm farmer fashion fast fat father fault favor favorite fear feature february fee feed female fence festival
    fever field fifteen fifth fifty fight figure file fill film final finance finger finish fire firm fish fit fix
    flag flat flavor flight float floor flow flower fly focus fold follow foot football force foreign forest forever
    forgive fork form formal former forth forty forward foundation fourth frame freedom freeze fresh friday fridge
    friendly friendship front frozen fruit fuel function fund funny furniture future gain gallery game garage garden
    gas gate gather gay gender general generation gentle gift girl glass global glove goal god gold golden
    government grade gradual graduate grand grandfather grandmother grant grass gray green greet ground group grow
    growth guarantee guard guest guide guilty guitar gun gym habit hair half hall hammer hand handle hang happen
    harm hat hate head headache health healthy hear heart heat heaven heavy height hero hesitate hide high hike hill
    hire historical history hit hobby hold hole holiday horse hospital host hotel hour household human humor hundred
    hunt hurry hurt husband ice idea ideal identify identity ignore ill illness image imagine immediate impact
    importance important impossible impress improve improvement inch incident include income increase independent
    indicate individual industry influence inform information injure injury inside insist inspire instance instead
    institute instruction instrument insurance intelligent intend intention interest international internet
    interview introduce introduction invent invest investigate invite involve iron island issue item jacket january
    jealous jewel job joke journal journey joy judge juice july jump june junior justice key kick kill kilometer
    king kiss kitchen knee knife knock knowledge label labor lack lady lake lamp land language large laugh law
    lawyer lay layer lazy lead leader leaf lean leather leave lecture left leg legal leisure lend length lesson
    letter level library license lie lift light limit line link lip list literature local location lock log lonely
    loose lose loss loud lower luck lunch machine magazine mail main maintain major male man manage manager manner
    map march mark market marriage married marry mass master match material math matter maximum meal meaning measure
    meat media medical medicine medium meet meeting member memory mention menu mess message metal meter method
    middle midnight mile milk million minimum minor minute mirror miss mistake mobile mode model modern moment
    monday money monitor month mood moon moral morning mother motion motor mountain mouse mouth move movement movie
    museum musical musician mystery name narrow nation national native natural neck negative neighbor neighborhood
    nerve nervous network news newspaper night nine ninth noise noisy noon normal north nose notebook notice novel
    november nowadays number numerous nurse object observe obtain obvious occasion occur ocean october offer office
    officer official oil ongoing online operate operation opinion opportunity oppose opposite option orange order
    ordinary organization organize origin original outcome outdoor outside oven overcome owe own owner pace pack
    package page pain paint painter pair pale pan panel paper parent park participate particular partner party pass
    passage passenger passion past path patience patient pattern pause pay payment peace pen pencil percent perform
    performance period permanent permission permit person personal personality persuade phase phone photo photograph
    phrase physical piano pick picnic picture piece pig pile pilot pink pipe place plain plan plane planet plant
    plastic plate platform player pleasant pleasure plenty pocket poem poet poetry point poison police policy polite
    political politics pool poor pop popular population portion position positive possess possibility possible post
    pot potato potential pound pour power powerful practical practice praise pray predict preference prepare
    presence present president press pressure pretend prevent previous price pride primary principle print prior
    priority prison private prize problem procedure process produce product production profession professional
    professor profile profit program progress project promise promote pronounce proof proper property propose
    protect protest prove provide psychology public publish pull punish purchase pure purple purpose push puzzle
    quality quantity quarter queen question quiet quit quote rabbit race radio rain raise range rank rapid rare rate
    raw reach react reaction reader ready reality realize rear reason receive recent recipe recognize recommend
    recommendation record recover red reduce refer reflect refuse region register regret regular reject relate
    relation relationship relative relax release relevant relief religion rely remain remark remote remove rent
    repair repeat replace reply report represent request require requirement rescue research reserve resist resolve
    resource respect respond response responsibility responsible rest restaurant result retire return reveal review
    reward rhythm rice rich ride ring rise risk river road rock role roll romantic roof room root rope rough round
    route routine row royal rub rubbish ruin rule rush sad sail salad salary sale salt sand sandwich satisfy
    saturday sauce save scale scare scared scene schedule scheme school science scientist score scream screen script
    sea search season seat second secret section secure security seek select self sell senior sense sensitive
    sentence separate september sequence serious servant serve service session settle seven severe sex shadow shake
    shape share sharp sheet shelf shell shelter shift shine ship shirt shock shoe shoot shop shore shoulder shout
    shower shut shy sight sign signal significant silence silent silver similar sing singer single sink sister site
    situation sixth sixty size skill skin skirt sky sleep slide slight slip slow smart smell smile smoke smooth snow
    soap social society sock soft software soil soldier solid solution solve song soul sound soup source south space
    spare speak species specific speech speed spell spend spirit spiritual split spoil spoon sport spot spread
    spring square stable staff stage stair stamp stand standard star stare state statement station status steady
    steal steel step stick stock stomach stone store storm story straight strange stranger strategy stream street
    strength stress stretch strike string strip structure struggle student studio study stupid style subject submit
    succeed success successful sudden suffer sugar suggest suggestion suit suitable sum summary summer sun sunday
    supply support suppose surface surgery surprise surround survey survive suspect suspicion sweater swim switch
    symbol system table tail talent tall tank target task tax tea teach teacher team tear technical technique
    technology teenager telephone television temperature temporary tend tennis tension term terrible test text
    theater theme theory therapy thick thin third thirteen thirty thousand threat throat throw thursday ticket tidy
    tie tight tip title tone tongue tool tooth top topic total touch tour tourist toward towel town toy track trade
    tradition traditional traffic train transfer transport trash travel treat treatment tree trend trial trick
    trouble truck trust tuesday twelve twenty type typical ugly uncle understand union unique unit united unity
    universe university unknown unusual update upset urban urge vacation valley valuable value van variety various
    vast vegetable vehicle version victory video view village violence violent visible vision visitor visual
    vocabulary voice volume volunteer vote wage waiter wake walk wall war warm warn wash waste water wave weak
    wealth weapon wear weather web website wedding wednesday week weekend weekly weigh weight west western wet wheel
    white whole wide wife wild willing win wind window wine wing winner winter wire wise witness woman wonder wood
    wooden wool worker world worry worth wound wrap writer wrong yard yellow yesterday young youth
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
