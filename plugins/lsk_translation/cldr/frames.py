"""Sentence frames and nouns of the `cldr` corpus: data only, English beside German.

Notation of a frame:

* `||` separates whole alternatives, `[a|b]` alternatives inside one; the first is drawn with
  probability 0.7, the next with 0.7 of the rest, the last taking what is left. Groups that carry
  the same digit, `[1:a|b] … [1:c|d]`, choose together. Groups that carry a letter choose together
  in both languages, each choice as likely as the others: there the choice is the meaning.
* `{slot}` or `{slot.form}` is filled by the function of that name in `cldr_names`, `cldr_numbers`
  or `cldr_times`, with the same meaning on both sides; `{slot2}` is a second, independent draw.
* A frame that ends in `.`, `?` or `!` is a sentence and starts with a capital letter.
"""

# ruff: noqa: E501, SIM905 (a frame reads best on one line, a list of codes as one string)

FRAMES: tuple[tuple[str, str], ...] = (
    # Phrases
    ("{when}", "{when}"),
    ("{wdate.on}", "{wdate.on}"),
    ("{wdate.on} {time.at}", "{wdate.on} {time.at}"),
    ("{date.on} {time.at}", "{date.on} {time.at}"),
    ("{day} {clock.at}", "{day} {clock.at}"),
    ("{count} {things}", "{count} {things}"),
    ("{count} {things} and {count2} {things2}", "{count} {things} und {count2} {things2}"),
    ("more than {count} {things}", "[mehr als|über] {count} {things}"),
    ("[about|roughly] {money}", "[etwa|ungefähr|rund] {money}"),
    ("{number}", "{number}"),
    ("{nth.nom}", "{nth.nom}"),
    ("{percent} of all {things}", "{percent} aller {things}"),
    (
        "[1:from|between] {hours.open} [1:to|and] {hours.close}",
        "[1:von|zwischen] {hours.open} [1:bis|und] {hours.close}",
    ),
    ("from {weekday} to {weekday2}", "von {weekday} bis {weekday2}"),
    ("{distance} from {city}", "{distance} von {city} entfernt"),
    ("{langs}", "{langs}"),
    ("{lands.in}", "{lands.in}"),
    ("the year {year.spoken}", "das Jahr {year.spoken}"),
    # Meetings and dates
    (
        "{event.nom} [begins|starts] {day} {time.at}. || {day}, {event.nom} [begins|starts] {time.at}.",
        "{event.nom} beginnt {day} {time.at}. || {day} beginnt {event.nom} {time.at}.",
    ),
    (
        "{event.nom} [takes place|will take place] {future} {city.in}.",
        "{event.nom} findet {future} {city.in} statt. || {future} findet {event.nom} {city.in} statt.",
    ),
    (
        "{event.nom} took place {past}.",
        "{event.nom} [fand {past} statt|hat {past} stattgefunden]. || {past} fand {event.nom} statt.",
    ),
    (
        "{event.nom} has been [moved|postponed] to {date}.",
        "{event.nom} wurde auf den {date} [verschoben|verlegt].",
    ),
    (
        "{event.nom} [lasts|takes] {brief}.",
        "{event.nom} dauert {brief}.",
    ),
    (
        "{event.nom} [lasted|took] [more than|over] {brief}.",
        "{event.nom} [1:dauerte|hat] [mehr als|über] {brief}[1:| gedauert].",
    ),
    (
        "Is {event.nom} {wdate.on}?",
        "Ist {event.nom} {wdate.on}? || Findet {event.nom} {wdate.on} statt?",
    ),
    (
        "When does {event.nom} [begin|start], {clock.at} or {clock2.at}?",
        "Wann beginnt {event.nom}, {clock.at} oder {clock2.at}?",
    ),
    (
        "{persons} [will meet|are meeting] {future} {city.in}.",
        "{persons} treffen sich {future} {city.in}. || {future} treffen sich {persons} {city.in}.",
    ),
    (
        "Let's meet {weekday.on} {clock.at}. || [We'll meet|We meet] {weekday.on} {clock.at}.",
        "[1:Treffen wir uns|Lass uns uns] {weekday.on} {clock.at}[1:| treffen]. || Wir treffen uns {weekday.on} {clock.at}.",
    ),
    (
        "The course [takes place|is held] {weekday.every} {time.at}. || {weekday.every}, the course [takes place|is held] {time.at}.",
        "Der Kurs findet {weekday.every} {time.at} statt. || {weekday.every} findet der Kurs {time.at} statt.",
    ),
    (
        "The [shop|store] is open [1:from|between] {hours.open} [1:to|and] {hours.close}.",
        "[Das Geschäft|Der Laden] [ist|hat] [1:von|zwischen] {hours.open} [1:bis|und] {hours.close} [geöffnet|offen].",
    ),
    (
        "The office is closed {weekday.every}.",
        "Das Büro ist {weekday.every} geschlossen. || {weekday.every} [ist|bleibt] das Büro geschlossen.",
    ),
    (
        "The museum is open [every day|daily] except {weekday.s}.",
        "Das Museum ist [täglich|jeden Tag] außer {weekday.s} geöffnet.",
    ),
    (
        "The [deadline|time limit] [ends|expires] {future}.",
        "Die Frist [1:endet|läuft] {future}[1:| ab]. || {future} endet die Frist.",
    ),
    (
        "{person} was born {pastdate.on}. || {person}'s date of birth is {pastdate}.",
        "{person} wurde {pastdate.on} geboren. || {person} ist {pastdate.on} geboren.",
    ),
    (
        "{person}'s birthday is {daymonth.on}.",
        "{person} hat {daymonth.on} Geburtstag. || {daymonth.on} hat {person} Geburtstag.",
    ),
    (
        "[Please|Kindly] reply by {date}.",
        "[1:Bitte antworten|Antworten] Sie [1:|bitte ]bis zum {date}.",
    ),
    (
        "The [invoice|bill] is dated {date}.",
        "Die Rechnung [ist vom|trägt das Datum] {date}.",
    ),
    (
        "The appointment is {day} {time.at}.",
        "Der Termin ist {day} {time.at}.",
    ),
    (
        "It is {clock}. || It's {clock} now.",
        "Es ist {clock}. || [Jetzt|Nun] ist es {clock}.",
    ),
    (
        "I [a:get up|wake up] {clock.at} {weekday.every}.",
        "Ich [a:stehe|wache] {weekday.every} {clock.at} auf. || {weekday.every} [a:stehe|wache] ich {clock.at} auf.",
    ),
    (
        "The film [starts|begins] {clock.at} and ends {clock2.at}.",
        "Der Film [1:beginnt|fängt] {clock.at}[1:| an] und endet {clock2.at}.",
    ),
    # Travel
    (
        "The train to {city} [leaves|departs] {time.at}. || {time.at}, the train to {city} [leaves|departs].",
        "Der Zug nach {city} fährt {time.at} ab. || {time.at} fährt der Zug nach {city} ab.",
    ),
    (
        "The train from {city} arrives {time.at}.",
        "Der Zug aus {city} kommt {time.at} an. || {time.at} kommt der Zug aus {city} an.",
    ),
    (
        "The [flight|plane] from {city} to {city2} takes {brief}.",
        "Der Flug von {city} nach {city2} dauert {brief}.",
    ),
    (
        "The bus to {city} was {brief} late.",
        "Der Bus nach {city} [1:hatte|kam] {brief} [1:Verspätung|zu spät].",
    ),
    (
        "It is {distance} from {city} to {city2}. || The distance from {city} to {city2} is {distance}.",
        "Von {city} nach {city2} sind es {distance}. || Es sind {distance} von {city} nach {city2}.",
    ),
    (
        "{person} is [a:flying|traveling] {land.to} {future}.",
        "{person} [a:fliegt|reist] {future} {land.to}. || {future} [a:fliegt|reist] {person} {land.to}.",
    ),
    (
        "{past}, {person} [traveled|went] {land.to}. || {person} [traveled|went] {land.to} {past}.",
        "{past} [reiste|fuhr] {person} {land.to}. || {person} ist {past} {land.to} [gereist|gefahren].",
    ),
    (
        "{persons} are coming from {cities}.",
        "{persons} kommen aus {cities}.",
    ),
    (
        "{person} comes {land.from} and lives {land2.in}.",
        "{person} [kommt|stammt] {land.from} und [lebt|wohnt] {land2.in}.",
    ),
    (
        "{person} has [lived|been living] {city.in} for {duration.dat}.",
        "{person} [lebt|wohnt] seit {duration.dat} {city.in}. || Seit {duration.dat} wohnt {person} {city.in}.",
    ),
    (
        "We [spent|stayed] {duration} {land.in}.",
        "Wir [waren|blieben] {duration}[ lang|] {land.in}. || Wir haben {duration} {land.in} verbracht.",
    ),
    (
        "The tour goes through {cities}.",
        "Die [Reise|Fahrt|Tour] [führt|geht] durch {cities}.",
    ),
    (
        "We [deliver|ship] to {lands}.",
        "Wir [liefern|versenden] nach {lands}.",
    ),
    (
        "A ticket to {city} costs {money}. || The [fare|ticket] to {city} is {money}.",
        "Eine Fahrkarte nach {city} kostet {money}. || Die [Fahrkarte|Fahrt] nach {city} kostet {money}.",
    ),
    (
        "The hotel {city.in} costs {money} [per|a] night.",
        "Das Hotel {city.in} kostet {money} [pro|die] Nacht.",
    ),
    (
        "The [a:car|vehicle] [drove|went] at {speed}.",
        "Das [a:Auto|Fahrzeug] fuhr {speed}.",
    ),
    (
        "The speed limit {land.in} is {speed}.",
        "Das Tempolimit {land.in} [liegt bei|beträgt] {speed}.",
    ),
    (
        "{person} ran {distance} in {brief.dat}.",
        "{person} [lief|rannte] {distance} in {brief.dat}. || {person} ist in {brief.dat} {distance} gelaufen.",
    ),
    (
        "It is {time} {city.in}.",
        "{city.in} ist es {time}. || Es ist {time} {city.in}.",
    ),
    # Money, shopping, numbers
    (
        "The [a:book|ticket|jacket] costs {money}.",
        "[a:Das Buch|Die Karte|Die Jacke] kostet {money}.",
    ),
    (
        "The price [rose|went up] from {money} to {money2}.",
        "Der Preis stieg von {money} auf {money2}. || Der Preis ist von {money} auf {money2} gestiegen.",
    ),
    (
        "The price [fell|dropped] by {percent}.",
        "Der Preis [sank|fiel] um {percent}. || Der Preis ist um {percent} [gesunken|gefallen].",
    ),
    (
        "{person} paid {money} for {count} {things}.",
        "{person} [zahlte|bezahlte] {money} für {count} {things}. || {person} hat für {count} {things} {money} [bezahlt|gezahlt].",
    ),
    (
        "{count} {things} cost {money}.",
        "{count} {things} kosten {money}.",
    ),
    (
        "How much do {count} {things} cost?",
        "[Wie viel|Was] kosten {count} {things}?",
    ),
    (
        "The rent is {money} [a|per] month.",
        "Die Miete [beträgt|liegt bei] {money} [im|pro] Monat.",
    ),
    (
        "The company invested {money} {past}.",
        "[Die Firma|Das Unternehmen] [1:investierte|hat] {past} {money}[1:| investiert]. || {past} investierte die Firma {money}.",
    ),
    (
        "{person} [earns|makes] {money} [an|per] hour.",
        "{person} verdient {money} [pro|in der] Stunde.",
    ),
    (
        "Together that makes {money}. || That is {money} [altogether|in total].",
        "[Zusammen|Insgesamt] [sind das|macht das] {money}. || Das macht [zusammen|insgesamt] {money}.",
    ),
    (
        "{percent} of the [a:participants|students] come {land.from}.",
        "{percent} der [a:Teilnehmer|Studenten] [kommen|stammen] {land.from}.",
    ),
    (
        "About {percent} of the [population|people] {land.in} speak {lang}.",
        "[Etwa|Rund] {percent} der [Bevölkerung|Menschen] {land.in} sprechen {lang}.",
    ),
    (
        "Sales [rose|grew] by {percent} {past}.",
        "Der Umsatz [stieg|wuchs] {past} um {percent}. || {past} [stieg|wuchs] der Umsatz um {percent}.",
    ),
    (
        "There are {count} {things} on the [a:table|shelf].",
        "Auf dem [a:Tisch|Regal] liegen {count} {things}. || Es liegen {count} {things} auf dem [a:Tisch|Regal].",
    ),
    (
        "{person} [bought|purchased] {count} {things} {past}.",
        "{person} hat {past} {count} {things} gekauft. || {past} [1:kaufte|hat] {person} {count} {things}[1:| gekauft].",
    ),
    (
        "[We need|We require] {count} {things} and {count2} {things2}.",
        "Wir [brauchen|benötigen] {count} {things} und {count2} {things2}.",
    ),
    (
        "{person} sent {count} {things} to {city}.",
        "{person} [schickte|sandte] {count} {things} nach {city}. || {person} hat {count} {things} nach {city} geschickt.",
    ),
    (
        "{person} came with {count} {things}.",
        "{person} kam mit {count} {things.dat}. || {person} ist mit {count} {things.dat} gekommen.",
    ),
    (
        "The [box|crate] with {count} {things} weighs {weight}.",
        "Die [Kiste|Schachtel] mit {count} {things.dat} wiegt {weight}.",
    ),
    (
        "{count} people work {city.in}.",
        "{city.in} arbeiten {count} [Menschen|Leute]. || {count} [Menschen|Leute] arbeiten {city.in}.",
    ),
    (
        "{count} [a:visitors|guests] came {past}.",
        "{past} kamen {count} [a:Besucher|Gäste]. || {count} [a:Besucher|Gäste] kamen {past}.",
    ),
    (
        "The village has {number} inhabitants.",
        "Das Dorf hat {number} Einwohner.",
    ),
    (
        "{number} votes were counted {land.in}.",
        "{land.in} wurden {number} Stimmen gezählt. || {number} Stimmen wurden {land.in} gezählt.",
    ),
    (
        "The result is {number}.",
        "Das Ergebnis [ist|lautet] {number}.",
    ),
    (
        "Room {room} is on {floor}.",
        "[Zimmer|Raum] {room} [ist|liegt|befindet sich] {floor}.",
    ),
    (
        "The score was {goals} to {goals2}.",
        "Das Spiel [1:endete|ging] {goals} zu {goals2}[1:| aus]. || Es stand {goals} zu {goals2}.",
    ),
    # Order
    (
        "[a:Open|Read] {nth.acc}.",
        "[a:Öffnen|Lesen] Sie [|bitte ]{nth.acc}.",
    ),
    (
        "{person} is [a:reading|writing] {nth.acc}.",
        "{person} [a:liest|schreibt] [gerade |]{nth.acc}.",
    ),
    (
        "{nth.nom} has {count} pages.",
        "{nth.nom} [hat|umfasst] {count} Seiten.",
    ),
    (
        "{nth.nom} [appeared|was published] {past}.",
        "{nth.nom} erschien {past}. || {past} erschien {nth.nom}. || {nth.nom} ist {past} erschienen.",
    ),
    (
        "{person} took {ordinal} place.",
        "{person} [belegte|erreichte] den {ordinal.en} Platz.",
    ),
    (
        "It was {person}'s {ordinal} visit to {city}.",
        "Es war der {ordinal.e} Besuch von {person} in {city}. || {person} war zum {ordinal.en} Mal in {city}.",
    ),
    (
        "{person} is {land.in} for the {ordinal} time.",
        "{person} ist zum {ordinal.en} Mal {land.in}.",
    ),
    (
        "On the {ordinal} day we reached {city}. || We reached {city} on the {ordinal} day.",
        "Am {ordinal.en} Tag erreichten wir {city}. || Wir [1:erreichten|haben] {city} am {ordinal.en} Tag[1:| erreicht].",
    ),
    (
        "The answer is {nth.in}.",
        "Die [Antwort|Lösung] steht {nth.in}.",
    ),
    # Languages and countries
    (
        "{person} speaks {langs}.",
        "{person} spricht {langs}.",
    ),
    (
        "Do you speak {langs.or}?",
        "[Sprechen Sie|Sprichst du] {langs.or}?",
    ),
    (
        "{person} has been learning {lang} for {duration.dat}.",
        "{person} lernt seit {duration.dat} {lang}. || Seit {duration.dat} lernt {person} {lang}.",
    ),
    (
        "The [a:letter|text] is written in {lang}.",
        "Der [a:Brief|Text] ist [auf|in] {lang} [geschrieben|verfasst].",
    ),
    (
        "The film is shown in {lang} with {lang2} subtitles.",
        "Der Film läuft auf {lang} mit Untertiteln auf {lang2}.",
    ),
    (
        "The [manual|guide] is available in {langs}.",
        "Die Anleitung [1:gibt es|ist] auf {langs}[1:| erhältlich].",
    ),
    (
        "{lang} is spoken {lands.in}.",
        "{lands.in} spricht man {lang}. || {lang} wird {lands.in} gesprochen.",
    ),
    (
        "{persons} [a:live|work] {lands.in}.",
        "{persons} [a:leben|arbeiten] {lands.in}.",
    ),
    (
        "The [a:wine|cheese] comes {land.from}.",
        "Der [a:Wein|Käse] [kommt|stammt] {land.from}.",
    ),
    (
        "We import {things} from {lands}.",
        "Wir [importieren|beziehen] {things} aus {lands}.",
    ),
    (
        "The company has [a:offices|branches] in {cities}.",
        "[Die Firma|Das Unternehmen] hat [a:Büros|Filialen] in {cities}.",
    ),
    (
        "Have you [ever been|already been] {land.to}?",
        "[Waren Sie|Warst du] [schon einmal|jemals] {land.in}?",
    ),
    # Measures
    (
        "The [parcel|package] weighs {weight}.",
        "Das Paket wiegt {weight}. || Das Paket ist {weight} schwer.",
    ),
    (
        "The [a:tower|building] is {height} [high|tall].",
        "[a:Der Turm|Das Gebäude] ist {height} hoch.",
    ),
    (
        "The river is {distance} long.",
        "Der Fluss ist {distance} lang.",
    ),
    (
        "The [flat|apartment] has {area} and costs {money}.",
        "Die Wohnung hat {area} und kostet {money}.",
    ),
    (
        "The [a:forest|park] covers {land_area}.",
        "Der [a:Wald|Park] [ist {land_area} groß|umfasst {land_area}].",
    ),
    (
        "The [a:tank|barrel] holds {volume}.",
        "[a:Der Tank|Das Fass] fasst {volume}.",
    ),
    (
        "Add {volume} of water and {weight} of [a:flour|sugar].",
        "Geben Sie {volume} Wasser und {weight} [a:Mehl|Zucker] [hinzu|dazu].",
    ),
    (
        "{weight} of [a:apples|potatoes] cost {money}.",
        "{weight} [a:Äpfel|Kartoffeln] kosten {money}.",
    ),
    (
        "[a:Yesterday|Today] it was {temperature} {city.in}.",
        "[a:Gestern|Heute] waren es {city.in} {temperature}. || {city.in} waren es [a:gestern|heute] {temperature}.",
    ),
    (
        "The temperature rose to {temperature} {past}.",
        "Die Temperatur stieg {past} auf {temperature}. || {past} stieg die Temperatur auf {temperature}.",
    ),
    (
        "Bake it for {brief} at {oven}.",
        "[Backen Sie es|Backe es] {brief}[ lang|] bei {oven}.",
    ),
    (
        "The [a:file|film] is {data} in size.",
        "[a:Die Datei|Der Film] ist {data} groß.",
    ),
    (
        "The [engine|motor] [delivers|has] {power}.",
        "Der Motor [leistet|hat] {power}.",
    ),
    (
        "The household [used|consumed] {energy} {past}.",
        "Der Haushalt verbrauchte {past} {energy}. || {past} verbrauchte der Haushalt {energy}.",
    ),
    # Life and work
    (
        "{person} and {person2} have been married for {duration.dat}.",
        "{person} und {person2} sind seit {duration.dat} verheiratet. || Seit {duration.dat} sind {person} und {person2} verheiratet.",
    ),
    (
        "{person} turned {age} {past}.",
        "{person} wurde {past} {age}. || {past} wurde {person} {age}. || {person} ist {past} {age} geworden.",
    ),
    (
        "{person} is {age} years old.",
        "{person} ist {age} Jahre alt. || {person} ist {age}.",
    ),
    (
        "{person} [called|phoned] {reltime.ago}.",
        "{person} hat {reltime.ago} [angerufen|telefoniert]. || {reltime.ago} hat {person} angerufen.",
    ),
    (
        "{person} will be back {reltime.in}.",
        "{person} [1:ist|kommt] {reltime.in} [1:wieder da|zurück]. || {reltime.in} ist {person} wieder da.",
    ),
    (
        "We [have to|must] leave {reltime.in}.",
        "Wir müssen {reltime.in} [los|gehen|aufbrechen]. || {reltime.in} müssen wir los.",
    ),
    (
        "The [a:bridge|school] was built {past}.",
        "Die [a:Brücke|Schule] wurde {past} [gebaut|errichtet]. || {past} wurde die [a:Brücke|Schule] gebaut.",
    ),
    (
        "The [a:bridge|school] was [b:built|opened] {year.in}.",
        "Die [a:Brücke|Schule] wurde {year.in} [b:gebaut|eröffnet]. || {year.in} wurde die [a:Brücke|Schule] [b:gebaut|eröffnet].",
    ),
    (
        "{person} [a:worked|studied] {city.in} from {years}.",
        "{person} [a:arbeitete|studierte] von {years} {city.in}. || Von {years} [a:arbeitete|studierte] {person} {city.in}.",
    ),
    (
        "{person} has been waiting for {brief.dat}.",
        "{person} wartet seit {brief.dat}. || {person} wartet [schon|bereits] seit {brief.dat}.",
    ),
    (
        "The [a:work|repair] will take {duration} and cost {money}.",
        "Die [a:Arbeit|Reparatur] wird {duration} dauern und {money} kosten. || Die [a:Arbeit|Reparatur] dauert {duration} und kostet {money}.",
    ),
    (
        "The contract [runs|is valid] until {date}.",
        "Der Vertrag [läuft|gilt] bis zum {date}.",
    ),
    (
        "The exhibition runs from {daymonth} to {daymonth2}.",
        "Die Ausstellung [läuft|dauert] vom {daymonth} bis zum {daymonth2}.",
    ),
    (
        "{monthyear.in}, {count} {things} were sold. || {count} {things} were sold {monthyear.in}.",
        "{monthyear.in} wurden {count} {things} verkauft. || {count} {things} wurden {monthyear.in} verkauft.",
    ),
    (
        "It often [a:rains|snows] {land.in} {month.in}.",
        "{land.in} [a:regnet|schneit] es {month.in} oft. || {month.in} [a:regnet|schneit] es {land.in} [oft|häufig].",
    ),
    (
        "{person} invited {count} [a:guests|friends] for {weekday}.",
        "{person} hat für {weekday} {count} [a:Gäste|Freunde] eingeladen. || Für {weekday} hat {person} {count} [a:Gäste|Freunde] eingeladen.",
    ),
    (
        "{person} [a:forgot|missed] {event.acc} {past}.",
        "{person} hat {past} {event.acc} [a:vergessen|verpasst]. || {past} hat {person} {event.acc} [a:vergessen|verpasst].",
    ),
    (
        "{persons} came to {event.dat} {clock.at}.",
        "{persons} kamen {clock.at} {event.to}. || {clock.at} kamen {persons} {event.to}.",
    ),
    (
        "[Unfortunately|Sadly], {event.nom} {future} has been [canceled|called off].",
        "Leider [1:fällt|wurde] {event.nom} {future} [1:aus|abgesagt]. || {event.nom} {future} [1:fällt|wurde] leider [1:aus|abgesagt].",
    ),
)

# English; then German nouns as (gender, noun), the usual one first.
EVENTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("the meeting", (("f", "Besprechung"), ("f", "Sitzung"), ("n", "Treffen"))),
    ("the conference", (("f", "Konferenz"), ("f", "Tagung"))),
    ("the concert", (("n", "Konzert"),)),
    ("the lecture", (("f", "Vorlesung"), ("m", "Vortrag"))),
    ("the exam", (("f", "Prüfung"), ("f", "Klausur"))),
    ("the party", (("f", "Feier"), ("f", "Party"), ("n", "Fest"))),
    ("the match", (("n", "Spiel"),)),
    ("the wedding", (("f", "Hochzeit"),)),
    ("the interview", (("n", "Vorstellungsgespräch"), ("n", "Interview"))),
    ("the opening", (("f", "Eröffnung"),)),
    ("the rehearsal", (("f", "Probe"),)),
    ("the workshop", (("m", "Workshop"),)),
    ("the market", (("m", "Markt"),)),
    ("the lesson", (("m", "Unterricht"), ("f", "Unterrichtsstunde"))),
)

# English, gender, German; for "the third chapter".
ORDERED: tuple[tuple[str, str, str], ...] = (
    ("chapter", "n", "Kapitel"),
    ("volume", "m", "Band"),
    ("edition", "f", "Auflage"),
    ("issue", "f", "Ausgabe"),
    ("letter", "m", "Brief"),
    ("report", "m", "Bericht"),
    ("book", "n", "Buch"),
    ("draft", "m", "Entwurf"),
    ("part", "m", "Teil"),
    ("story", "f", "Geschichte"),
    ("section", "m", "Abschnitt"),
    ("message", "f", "Nachricht"),
)

# English plural, German plural (nominative, accusative and genitive), its dative.
THINGS: tuple[tuple[str, str, str], ...] = (
    ("books", "Bücher", "Büchern"),
    ("letters", "Briefe", "Briefen"),
    ("tickets", "Karten", "Karten"),
    ("bottles", "Flaschen", "Flaschen"),
    ("apples", "Äpfel", "Äpfeln"),
    ("eggs", "Eier", "Eiern"),
    ("keys", "Schlüssel", "Schlüsseln"),
    ("pictures", "Bilder", "Bildern"),
    ("flowers", "Blumen", "Blumen"),
    ("shirts", "Hemden", "Hemden"),
    ("plates", "Teller", "Tellern"),
    ("knives", "Messer", "Messern"),
    ("newspapers", "Zeitungen", "Zeitungen"),
    ("maps", "Landkarten", "Landkarten"),
    ("coins", "Münzen", "Münzen"),
    ("stamps", "Briefmarken", "Briefmarken"),
    ("pencils", "Bleistifte", "Bleistiften"),
    ("lamps", "Lampen", "Lampen"),
    ("cups", "Tassen", "Tassen"),
    ("gifts", "Geschenke", "Geschenken"),
    ("watches", "Uhren", "Uhren"),
    ("bags", "Taschen", "Taschen"),
    ("oranges", "Orangen", "Orangen"),
    ("postcards", "Postkarten", "Postkarten"),
)

PERSONS: tuple[str, ...] = tuple(
    "Anna Paul Marta Felix Lena Jonas Clara Oskar Greta Simon Nora David Ida Emil Lucia Robert Eva "
    "Martin Helena Viktor Sofia Daniel Mira Adam".split()
)

# CLDR territory codes by their German article.
TERRITORIES_WITHOUT_ARTICLE: tuple[str, ...] = tuple(
    "FR ES IT AT PL SE NO DK FI PT GR HU RO BG IE IS BE LU CZ HR RS SI EE LV LT MT CY AL RU DE CN "
    "JP IN ID TH VN MY SG KR PK BD NP LK AU NZ CA MX CU JM PA PE CL AR BR BO CO EC PY UY VE EG MA "
    "DZ TN LY KE NG GH ET ZA NA ZW TZ UG AO MZ MG IL JO SA KZ UZ GE AM AZ".split()
)
TERRITORIES_FEMININE: tuple[str, ...] = ("CH", "TR", "UA", "SK", "MN")
TERRITORIES_PLURAL: tuple[str, ...] = ("US", "NL", "PH")

LANGUAGES: tuple[str, ...] = tuple(
    "de en fr es it pt nl pl ru cs sv da no fi is hu ro bg el tr ar he fa hi zh ja ko vi th uk hr "
    "sr sl sk et lv lt ga ca".split()
)

# Time zones whose exemplar city CLDR names in both languages.
CITY_ZONES: tuple[str, ...] = tuple(
    "Europe/Vienna Europe/Rome Europe/Brussels Europe/Lisbon Europe/Athens Europe/Prague "
    "Europe/Warsaw Europe/Copenhagen Europe/Moscow Europe/Bucharest Europe/Belgrade "
    "Europe/Budapest Europe/Berlin Europe/Paris Europe/London Europe/Madrid Europe/Dublin "
    "Europe/Oslo Europe/Stockholm Europe/Helsinki Europe/Zurich Europe/Amsterdam Europe/Vilnius "
    "Europe/Riga Europe/Sofia Europe/Zagreb Europe/Istanbul Africa/Cairo Africa/Algiers "
    "Africa/Nairobi Africa/Tunis Africa/Tripoli Africa/Casablanca Asia/Tokyo Asia/Singapore "
    "Asia/Beirut Asia/Damascus Asia/Baghdad Asia/Jerusalem Asia/Seoul Asia/Shanghai "
    "Asia/Hong_Kong Asia/Tashkent Asia/Yerevan Asia/Baku Asia/Jakarta Asia/Manila "
    "America/New_York America/Chicago America/Los_Angeles America/Toronto America/Mexico_City "
    "America/Havana America/Lima America/Bogota America/Vancouver Australia/Sydney "
    "Australia/Melbourne".split()
)

CURRENCIES: tuple[str, ...] = tuple("EUR EUR USD USD GBP JPY CHF INR CAD AUD MXN NZD".split())
# Those whose German plural is a proper noun, so that it stands unchanged in a sentence.
NAMED_CURRENCIES: tuple[str, ...] = ("EUR", "USD", "CHF", "NZD")
