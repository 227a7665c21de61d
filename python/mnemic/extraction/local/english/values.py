"""What slot patterns are made of: the shapes of their values, and the words that values never are."""

from __future__ import annotations

import re

# The end of a value: what follows belongs to another part of the sentence.
END = (
    r"(?=\s*(?:[,;:.!()]|$|\s-|\b(?:and|but|because|since|for|at|in|on|with|so|when|while|where|which|that|now|these|right"
    r"|who|from|until|till|if|as|anymore|any|too|also|though|after|before|by|to|a lot|very|so|again|still|currently|today"
    r"|again|instead|not|then|until|last|next|this|every|during|whenever|lately|recently|together|about|or|more|than|over|near|under)\b))"
)
NAME = r"(?-i:(?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?[A-Z][\w'-]*(?:\s+(?!(?:And|But|I)\b)[A-Z][\w'-]*){0,2})"
PLACE = (
    r"(?-i:[A-Z][\w'-]*(?:\s+(?:de|da|do|del|la|of|the|upon|am)\s+[A-Z][\w'-]*|\s+(?!I\b)[A-Z][\w'-]*){0,3}"
    r"(?:,\s*(?!I\b)[A-Z][\w'-]*(?:\s[A-Z][\w'-]*)?(?!['\w]))?)"
)
ORGANISATION = (
    r"(?-i:(?:St\. )?[A-Z][\w'&.-]*\w(?:\s+(?:of|&|and the|for)\s+[A-Z][\w'&-]*|\s+(?!I\b)[A-Z][\w'&-]*){0,4})"
)
NOUN = r"(?:[\w'+#&/-]+\s+){0,3}?[\w'+#&/-]+"
KIN = (
    r"(?P<kin>(?:(?:older|younger|little|big|elder|eldest|youngest|oldest|twin|half-|step|best|late|grand|great|middle|second|baby|old|new|own|dear)[ -]?)*"
    r"(?:brother|sister|mother|mom|mum|father|dad|son|daughter|child|kid|baby|wife|husband|girlfriend|boyfriend|partner"
    r"|fianc[ée]e?|spouse|grandmother|grandma|grandfather|grandpa|aunt|uncle|cousin|niece|nephew|friend|roommate|flatmate"
    r"|neighbou?r|boss|(?:line )?manager|mentor|colleague|coworker|co-worker|teacher|doctor|dentist|therapist|coach|landlord"
    r"|mate|flatmate|housemate|buddy|pal|gran|granny|grandad|granddad|nan|nana|auntie|boy|girl|gp|trainer|supervisor|bestie"
    r"|hairdresser|tutor|bf|gf|stepson|stepdaughter|stepmum|stepmom|stepdad|godson|goddaughter|grandson|granddaughter|physician)"
    r"(?:-in-law| in law)?)\b"
)
ANIMAL = (
    r"(?P<animal>(?:dog|puppy|cat|kitten|hamster|rabbit|bunny|parrot|guinea pig|turtle|tortoise|goldfish|horse|pony|snake"
    r"|lizard|gecko|ferret|budgie|canary|chicken|retriever|labrador|poodle|beagle|terrier|shepherd|husky|corgi|dachshund"
    r"|bulldog|tabby|spaniel|whippet|collie|pug|greyhound|cockapoo|labradoodle|chihuahua|rottweiler|doberman|dalmatian|mastiff|pomeranian"
    r"|schnauzer|setter|hound|lurcher|mutt|pup|doggo|kitty|ragdoll|maine coon|gerbil|rat|chinchilla|hedgehog|axolotl|frog|tarantula|iguana"
    r"|bearded dragon|chameleon|cockatiel|cockatoo|macaw|budgerigar|finch|duck|hen|goat|alpaca|llama|donkey|mare|dachshund|shih tzu|lab|moggy)s?)"
)
MONTHS = "january february march april may june july august september october november december".split()
DATE = (
    r"(?:(?:the )?\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:" + "|".join(MONTHS) + r")(?:,? \d{4})?"
    r"|(?:"
    + "|".join(MONTHS)
    + r") (?:the )?\d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?|\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}(?:/\d{2,4})?)"
)

JOBS = frozenset(
    """accountant actor actress administrator analyst apprentice architect artist assistant astronaut astronomer attorney
    author auditor baker banker barber barista bartender biologist builder butcher captain caregiver carer carpenter
    cashier chef chemist cleaner clerk coach coder comedian composer conductor consultant contractor cook copywriter
    counselor counsellor dancer dentist designer detective developer dietitian director dj doctor driver economist editor
    electrician engineer entrepreneur farmer filmmaker firefighter florist founder freelancer gardener geologist guard
    hairdresser historian hr illustrator instructor interpreter intern investor janitor journalist judge jeweller
    landscaper lawyer lecturer librarian linguist locksmith magician manager mathematician mechanic midwife model mover
    musician nanny nurse nutritionist officer optician optometrist painter paralegal paramedic pastor pharmacist
    photographer physician physicist physiotherapist pianist pilot plumber poet policeman politician postman potter
    priest principal producer professor programmer psychiatrist psychologist rabbi radiologist realtor receptionist
    recruiter reporter researcher retailer salesman salesperson scientist sculptor secretary seamstress sergeant singer
    sociologist soldier solicitor student surgeon surveyor tailor teacher technician therapist trader trainer translator
    walker groomer sitter brewer roofer plasterer joiner bricklayer glazier decorator courier rider miner fisherman sailor steward
    stewardess attendant agent broker buyer planner organiser organizer scaffolder machinist operator inspector warden ranger curator
    archivist zookeeper gamekeeper blacksmith tiler fitter dispatcher caretaker porter concierge bouncer host hostess sommelier
    confectioner fundraiser lobbyist campaigner diplomat councillor mayor minister vicar chaplain imam headteacher headmaster headmistress
    animator choreographer presenter broadcaster podcaster blogger youtuber streamer puppeteer stylist beautician masseuse masseur osteopath
    chiropractor podiatrist dietician phlebotomist radiographer orthodontist hygienist anaesthetist anesthesiologist cardiologist
    dermatologist neurologist oncologist paediatrician pediatrician gynaecologist obstetrician pathologist zoologist botanist ecologist
    meteorologist statistician actuary bookkeeper underwriter estimator paralegal barrister notary magistrate investigator constable
    lifeguard referee umpire footballer jockey arborist forester winemaker distiller roaster dishwasher caterer usher luthier cartoonist
    temp assembler builder carer childminder au-pair nanny housekeeper matron sonographer pharmacologist chemist toolmaker upholsterer
    locksmith watchmaker goldsmith cobbler typist proofreader subtitler copyeditor sub-editor columnist correspondent anchor engineer
    tutor vet veterinarian videographer waiter waitress welder writer""".split()
)
DIETS = r"vegan|vegetarian|pescatarian|pescetarian|flexitarian|keto|halal|kosher|gluten[- ]free|dairy[- ]free|lactose[- ]free|omnivore|carnivore|paleo|plant[- ]based|low[- ]carb|coeliac|celiac|meat[- ]eater|teetotal|fruitarian|sugar[- ]free|nut[- ]free|veggie"
INSTRUMENTS = (
    r"guitar|piano|violin|viola|cello|drums|flute|clarinet|saxophone|sax|trumpet|trombone|harp|ukulele|bass|banjo|oboe"
    r"|accordion|harmonica|keyboard|organ"
)
SPORTS = (
    r"football|soccer|basketball|tennis|volleyball|rugby|cricket|hockey|badminton|golf|baseball|chess|squash|table tennis"
    r"|handball|water polo|poker|padel|video games|board games"
)
LANGUAGES = (
    r"english|german|french|spanish|portuguese|italian|dutch|swedish|norwegian|danish|finnish|polish|czech|slovak|hungarian"
    r"|romanian|bulgarian|greek|turkish|arabic|hebrew|persian|farsi|hindi|urdu|bengali|tamil|telugu|thai|vietnamese"
    r"|indonesian|malay|chinese|mandarin|cantonese|japanese|korean|russian|ukrainian|serbian|croatian|latin|swahili|catalan"
    r"|basque|irish|welsh|icelandic|tagalog|zulu|afrikaans|esperanto|sign language"
)
ILLNESSES = (
    r"(?:type [12] )?diabetes|asthma|celiac disease|coeliac disease|epilepsy|migraines?|arthritis|adhd|autism|depression"
    r"|anxiety|hypertension|high blood pressure|insomnia|eczema|psoriasis|crohn's(?: disease)?|ibs|cancer|lupus|anaemia|anemia"
    r"|dyslexia|tinnitus|vertigo|sciatica|ocd|ptsd|a heart condition|a bad back"
)
# "moved to Marketing", "moved to Postgres": where people do not live.
NO_PLACES = frozenset(
    """marketing sales engineering finance hr support product legal operations python rust java linux windows mac postgres
    postgresql mysql sqlite mongodb redis kubernetes docker aws azure gcp github gitlab slack notion teams monday tuesday
    wednesday thursday friday saturday sunday god it english german french spanish vs vscode typescript react god heaven
    hell fear peace""".split()
) | frozenset(MONTHS)
NO_ORGANISATIONS = frozenset(
    """christmas easter monday tuesday wednesday thursday friday saturday sunday home night me mr mrs ms dr god
    """.split()
) | frozenset(MONTHS)
_NO_VALUES = re.compile(
    r"^(?:it|that|this|these|those|them|they|me|myself|us|him|her|he|she|you|your|yours|how|what|when|where|why|who|one|ones|everything"
    r"|something|anything|nothing|everyone|someone|people|stuff|things?|each|all|to|being|having|both|there|here|some|any"
    r"|such|every|more|most|much|so|as|doing|seeing|hearing|another|other|others|not|is|was|the way|the fact|the idea"
    r"|the look|the feeling|the color|the sound|a lot|lots|hopefully)\b|\b(?:it|that|this|these|those|them|him|her|you|your|he|she"
    r"|they|their|his)\b",
    re.IGNORECASE,
)
# With a capital it is part of a name: "The Beatles".
_ARTICLE = re.compile(r"^(?:an?|the|some)\s+")


def is_value(text: str) -> bool:
    """Whether a value stands for itself: no pronoun, no beginning of a clause."""
    return bool(text.strip()) and not _NO_VALUES.search(text)


def without_article(text: str) -> str:
    """The value without "a", "the" or "some" in front."""
    return _ARTICLE.sub("", text.strip())
