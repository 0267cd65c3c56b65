"""The words and phrases of the built-in corpus, in the notation of `grammar.py`."""

SHE: str = "Mara Nell Odile Ivy Thea Greta Fern Agnes Petra Lotta Dora Una Ruth Hester Juno Maud"
HE: str = "Tobin Osric Bram Corin Hugo Felix Emil Piet Rufus Jasper Kit Ned Otto Silas Abel Magnus"

NUMBERS: str = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty"""

WORDS = {
    # Who and what
    "name": f"{SHE} {HE}",
    "trade": """baker miller sailor tailor weaver cobbler potter painter piper shepherd gardener clockmaker beekeeper
        cook doctor teacher poet fiddler juggler mapmaker inventor butcher soldier thief""",
    "animal": """goose heron badger otter owl fox hare mole crow toad newt donkey pony goat lamb kitten puppy hound
        rooster hen duck swan robin beetle moth spider snail weasel mouse bear wolf lizard raven cricket parrot dragon
        whale seal camel giant witch ghost frog crab eel bat elk yak mule lark hawk calf queen clown baby lynx king
        duke nun spy tiger rabbit pirate""",
    "trait": """sly shy sad odd fat thin bald bold calm cross glad grim kind keen lazy loud mad meek neat plump poor
        proud quick rude silly slow smug stern tall tame tired vain wild wise young hungry sleepy clever gentle honest
        idle eager angry noble merry lonely patient jealous royal polite wicked dizzy fussy nosy witty sulky greedy
        timid tidy grumpy modest curious""",
    "petname": """Pickle Pepper Biscuit Mustard Clover Bramble Nutmeg Pudding Barley Domino Muffin Captain Zigzag
        Turnip Whisper Yarrow Quince Vinegar""",
    "object": """lamp pot pan cup jug jar key bell book boot hat harp horn oar net ring rope sail saw axe box bag
        broom bowl cart chair clock cloak comb crown drum door fan flute fork glove hook kite knife lid mask mug pen
        pipe plate purse quilt rake raft sack shawl shoe sock spoon stool sword sledge tent tray urn vase wand wheel
        wig kettle lantern anchor bucket mirror needle pillow saddle ladder teapot trumpet window letter""",
    "quality": """brass iron silk gold oak clay glass stone straw paper wax lace velvet copper silver blue pink grey
        green black white yellow purple bent broken cheap clean cracked damp dusty empty fake flat grand heavy hollow
        huge long lost lucky magic new plain round rusty secret sharp shiny spare square sticky stolen strange striped
        tiny torn warm wet worn leaky haunted singing ancient foreign borrowed invisible second-hand""",
    "prop": """pail fiddle map umbrella spade notebook oboe birdcage tin_drum hourglass toolbox paintbrush pitchfork
        rolling_pin fishing_rod walking_stick loaf satchel compass cello""",
    "trinket": """candle pebble feather egg apple marble acorn bead walnut cherry ribbon shell pancake onion flag pearl
        nail cork pumpkin plum ticket lemon medal bun coin""",
    "kin": "mother father aunt uncle cousin grandmother sister brother neighbour niece nephew landlady twin",
    "notion": """love luck silence music thunder trouble wisdom time sorrow courage hope sleep gossip pride winter fame
        fear truth advice money youth joy art law war debt greed wit faith doubt envy soap poetry""",
    # What there is to eat
    "food": """bread soup honey porridge cheese pie pudding plums pears onions berries cherries pancakes jam rice stew
        beans cabbage custard ham cake eggs peas figs nuts oats leeks fudge tea milk cider cream gravy curry toast
        butter""",
    "taste": """hot cold raw sweet sour salty burnt fresh stale spicy smoky bitter crisp lumpy runny green plain rich
        soft thin warm free cheap dry odd""",
    # Where and when
    "landmark": """mill pond well gate barn inn hill oak moor bog ford dam bay cave church tower wood lake farm fort
        forge hut hedge hall jail lane lawn maze marsh mine moat park path pier port road rock school shed shop swamp
        tomb town wall yard zoo bridge harbour market forest river garden castle beach library island palace attic
        cellar""",
    "near": "near beside behind beyond beneath above below by past inside outside under opposite far_from",
    "toward": "to into past around across through beyond behind over along back_to away_from out_of",
    "furniture": """stove bed cupboard piano stairs trunk barrel bench sink shelf curtain table armchair bathtub rug
        cradle""",
    "within": "under behind inside on_top_of beside near",
    "indoors": """mill attic orchard lighthouse market barn cottage cellar library bakery chapel kitchen garden tavern
        ballroom workshop courtyard schoolroom""",
    "season": "spring summer autumn winter",
    "hour": "morning evening afternoon night",
    "weekday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "mood": "cold bright windy quiet rainy foggy golden frosty grey stormy long dark lazy strange misty noisy",
    "nature": "wind rain moon river fog snow sun tide stream thunder storm frost dusk sea dawn mist fire",
    # Verbs, classed by what follows them and named after the first; the past and the third person are derived
    "wander": """wander walk hurry dance tiptoe stumble march creep run skip stroll wade climb crawl slip jump hop
        swim fly limp sail roll waltz vanish amble dash drift glide plod prance race ride rush slide sneak stride strut
        trot""",
    "sigh": """sigh laugh whistle hum yawn nod smile frown blush grumble mutter giggle sneeze cough weep shrug wink
        groan gasp cheer shiver tremble grin snore wait listen sob beam blink doze grunt howl moan pout scowl sulk
        swear wail""",
    "mend": """mend polish paint open wash dust scrub break measure admire sketch weigh inspect copy bless insult
        tickle kiss squeeze wrap decorate forget juggle wear drop ruin fix sell buy boil burn bend dye fill fold glue
        hate hang hold lick name oil own pack rent rub swap test touch tie twist""",
    "carry": "carry drag lift bring haul push pull throw take steal lose send return deliver kick chase",
    "meet": """meet follow feed greet teach tease comfort scold trust thank hug pat fool visit invite hire warn answer
        rescue pity dodge marry love help hear see bite fear hunt catch mock miss nurse pinch scare serve trick watch
        adopt""",
    "say": "say whisper shout mumble sing snap cry add reply explain insist boast declare confess",
    "gathered": "sat met waited rested worked quarrelled sheltered gossiped whispered shivered",
    "vanish": "vanished broke melted rolled_away blew_away disappeared fell_down caught_fire went_missing",
    "adverb": """slowly gently quietly loudly politely sadly happily proudly bravely kindly softly sleepily merrily
        wearily crossly gravely brightly boldly shyly fondly grandly idly oddly rudely sternly wildly""",
    "fashion": """twice again alone aloud at_once at_last by_mistake for_hours for_fun in_vain in_secret on_purpose
        once_more with_care with_joy like_mad""",
}

IRREGULAR = {
    (word, suffix): form
    for suffix, forms in {
        "s": "goose geese mouse mice wolf wolves calf calves knife knives",
        "ed": """creep crept run ran skip skipped slip slipped hop hopped swim swam fly flew ride rode slide slid
            stride strode strut strutted trot trotted plod plodded hum hummed nod nodded weep wept shrug shrugged
            grin grinned sob sobbed swear swore scrub scrubbed break broke wrap wrapped forget forgot wear wore
            drop dropped sell sold buy bought bend bent hang hung hold held rub rubbed swap swapped bring brought
            drag dragged throw threw take took steal stole lose lost send sent meet met feed fed teach taught hug hugged
            pat patted hear heard see saw bite bit catch caught say said snap snapped sing sang""",
    }.items()
    for word, form in zip(forms.split()[::2], forms.split()[1::2], strict=True)
}

RHYMES = """
    all night / by candlelight / out of sight / in robes of white / left and right / on a kite / before first light
    all day / far away / across the bay / upon the hay / along the way / in the month of May / without delay
    under the tree / beside the sea / for all to see / along with me / wild and free / in time for tea
    upside down / through the town / in a gown / with a frown / in a paper crown / as the king's own clown
    inside the well / to the sound of a bell / under a spell / in a cockle shell / and slipped and fell
    under the moon / with a silver spoon / all afternoon / to a merry tune / in a big balloon / a week too soon
    in the pouring rain / down the lane / again and again / like a weather vane / on a train to Spain
    in the cold / dressed in gold / brave and bold / as we were told / worn and old / over the wold
    in the air / up the stair / on a chair / with the greatest care / here and there / at the fair / beside a bear
    in the snow / to and fro / far below / long ago / all in a row / as quick as a crow
    in the spring / on a string / with a golden ring / like a king / on a single wing / and began to sing
    on the shore / through the door / across the floor / for evermore / and asked for more / in the general store
"""

PHRASES = {
    # Things and places
    "thing": """
        5* <quality> {object}
        2* <quality>, {quality} {object}
        <object>""",
    "creature": """
        5* <trait> {animal}
        2* <trait>, {trait} {animal}
        <animal>""",
    "meal": """
        3* <taste> {food}
        <food>""",
    "place": "<near> the {landmark}",
    "destination": "<toward> the {landmark}",
    "hideout": "<within> the <furniture>",
    "manner": """
        3* <adverb>
        2* <fashion>""",
    # The opening of a scene
    "occasion": """
        One <mood> {day=hour} in {season=season},
        Late one {day=hour} in {season=season},
        Early in {season=season}, on a {mood} {day=hour},""",
    "items_intro": """
        Between them lay
        They had brought
        There were
        On the {furniture} stood""",
    "pet_enters": """
        <A trait> {beast=animal} called {pet=petname} {wander ed} {destination}.
        In the corner {a trait} {beast=animal} called {pet=petname} {sigh ed} {manner}.
        With them came {a trait} {beast=animal} called {pet=petname}.""",
    "hidden": """
        The {treasure} lay {spot=hideout}.
        They kept the {treasure} {spot=hideout}.""",
    # Narration: what a person does, after the name
    "action": """
        4* <wander ed> {destination}
        2* <sigh ed> {manner}
        5* <mend ed> {a thing} and {a thing}
        5* <carry ed> {a thing} {destination}
        5* <meet ed> {a creature} and {a creature} {place}
        2* ate {meal} with {meal}
        looked {manner} at {a thing}
        2* gave {other} {a thing}
        put down {his} {my_prop}
        waved {his} {my_prop} {manner}
        begged {other} for {meal} and {meal}
        2* spoke of {notion}, {notion} and {notion}
        2* told {other} about {a creature}
        showed {other} the {treasure}
        dreamed of {a creature} {place}
        counted the {items}: => count
        hid the {treasure} {spot=hideout}""",
    "pet_action": """
        3* <wander ed> {destination}
        3* <sigh ed> {manner}
        ate {meal}
        licked {other}
        chased {a creature} {destination}
        fell asleep {hideout}
        stole {a thing}""",
    "treasure_action": """
        2* lay {spot}
        2* was still {spot}
        shone {manner}
        looked {quality}
        smelled of {food} and {notion}""",
    "sentence_end": """
        12* .
        , whereupon {pet} {sigh ed}.
        , and the {nature} {sigh ed} {manner}.
        , but nobody {sigh ed}.
        ~while {other} {sigh ed}.
        ~until the {animal s} {sigh ed}.
        ~because {a creature} {wander ed} {destination}.""",
    "background": """
        2* Outside, the {nature} {sigh ed} {place}
        2* The <nature> {sigh ed} {manner}
        4* <A creature> {wander ed} {destination} with {a thing}
        2* Two {creatures} {mend ed} {a thing} {place}
        Far away, {a creature} {sigh ed}
        Nobody {sigh ed}
        Everyone looked at {a thing}
        There was a smell of {meal} {place}""",
    "quote_end": """
        2* .
        2* ~<manner>.
        ~to {pet}.
        ~from {hideout}.""",
    "ending": """
        In the end they left the {treasure} {spot} and {wander ed} {destination} with {a thing}. => end
        So the {treasure} stayed {spot}, and the {creatures} {sigh ed} all {day}. => end
        2* And that is why {a creature} never {mend s} {a thing} in {season}. => end
        After that, nobody {mend ed} the {treasure} but {a creature}. => end""",
    # Speech
    "line": """
        55* <saying>
        I was {a trade} before I became {my_trade}
        This {my_prop} belonged to {a creature}""",
    "saying": """
        4* I <meet ed> {a creature} {place}
        4* I <mend ed> {a thing} last {weekday}
        2* I <carry ed> the {thing} {destination}
        2* I <wander ed> {destination} with {a creature}
        2* I am as {trait} as {a creature}
        2* I would rather {mend} {a thing} than {meet} {a creature}
        2* I want {meal}, {meal} and {meal}
        2* My <kin> {mend ed} {a thing} every {weekday}
        That {treasure} is worth more than {a thing}
        We have {count} {items} and {a thing}
        Poor {pet} only wants {meal}
        3* <A creature> never {mend s} {a thing}
        2* Every <animal> {mend s} {a thing} in {season}
        3* <Notion> is like {a thing}
        2* Two {creatures} {wander ed} {destination} with {a thing}
        2* Better {a creature} than {a creature}
        2* Beware of {a creature} with {a thing}
        2* You can {mend} {a thing} with {a thing}
        First I {mend ed} {a thing}, then {a thing}
        Neither {a creature} nor {a creature} ever {meet ed} me
        In {season} the {creatures} {sigh} {manner}
        3* <Carry> the {thing} {destination}
        3* <Mend> the {thing}, and the {creatures} will {sigh}
        2* When the <nature> {sigh s}, the {creatures} {sigh}
        If you {mend} the {thing}, {a creature} will {wander} {destination}
        Once upon a {weekday}, {a creature} {wander ed} {destination}
        Nobody {meet ed} {a creature} in {season}
        There is {a creature} {place}
        2* No <animal> is too {trait} for {meal}
        Some say {a creature} lives {place}
        2* On <weekday s> the {creatures} {sigh} {manner}
        Give me {meal} and {a thing}
        How {adverb} the {nature} {sigh s}
        Tomorrow we shall {wander} {destination}
        They sell {meal} {place}
        Let us {mend} the {treasure}""",
    "mark": """
        5* .
        !""",
    "performance": """
        Listen to my song: => song
        Count with me: => counting""",
    "address": """
        2* you <meet ed> {a creature} {place}
        2* you <mend ed> my {thing}
        you look as {trait} as {a creature}
        your {your_prop} looks {quality}
        hold my {my_prop}
        do not {mend} the {treasure}
        have some {meal}
        tell {a creature} about {notion}""",
    "question": """
        2* where is the {treasure}? => where
        2* how many {items} have we? => how_many
        what is the {beast} called? => called
        what do you carry? => carried
        what did you {meet} {place}? => met
        what shall we eat in {season}? => eat
        who <mend ed> the {thing}? => who
        who are you? => trade
        what does {your_trade} want with {a thing}? => want""",
    "where_answer": """
        It is {spot}
        Look {spot}, beside {a thing}
        The {beast} left it {spot}
        Somebody put it {spot}, near {a thing}""",
    "how_many_answer": """
        There are {count}
        I make it {count}, and {a thing}
        We have {count}""",
    "called_answer": """
        Everybody calls it {pet}
        Its name is {pet}, and it {mend s} {a thing} every {weekday}""",
    "carried_answer": """
        Only my {my_prop}
        I carry my {my_prop} and {a thing}
        Nothing but {meal} and my {my_prop}""",
    "met_answer": """
        2* Only {a creature}
        Nothing but {a thing}
        <A trait> {animal} with {a thing}""",
    "eat_answer": """
        3* <Taste> {food} and {meal}
        Nothing but {meal}""",
    "who_answer": """
        It was {other}
        Perhaps {a creature} did
        2* My <kin> did, last {weekday}""",
    "trade_answer": """
        I am only {my_trade}
        You know {my_trade} by the {thing}""",
    "want_answer": """
        Every {calling} {mend s} {a thing}
        It belonged to my {kin}
        I want to {mend} it {manner}""",
    # Songs, each line of which ends in a rhyme, and counting rhymes
    "verse": """
        4* The <trait> {animal} {wander ed}
        2* <A creature> {sigh ed}
        My {thing} {wander ed}
        We {sigh ed}
        And {pet} {wander ed}
        Then {other} {sigh ed}""",
    "creatures": """
        5* <trait> {animal s}
        <animal s>""",
}
