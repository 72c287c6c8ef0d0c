"""The sentences that an agent says by itself, whatever leads it: asking again, apologies, farewells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Courtesies:
    """The fixed sentences of one language."""

    still_there: str
    goodbye: str
    nobody_there: str
    not_understood: str
    say_again: str
    cannot_help: str
    trouble: str
    time_is_up: str
    did_you_say: str
    greeting: str
    leave_message: str
    call_again: str
    message_thanks: str
    one_moment: str
    nobody_reached: str
    call_from: str


_ENGLISH = Courtesies(
    still_there="Are you still there?",
    goodbye="Goodbye.",
    nobody_there="I cannot hear you any more. Goodbye.",
    not_understood="Sorry, I did not understand that.",
    say_again="Sorry, I did not catch that. Could you say it again, please?",
    cannot_help="I am sorry, I could not help you. Goodbye.",
    trouble="I am sorry, there is a technical problem on our side. Please call again later. Goodbye.",
    time_is_up="I am sorry, our time for this call is up. Goodbye.",
    did_you_say="Did you say: {said}?",
    greeting="Hello.",
    leave_message="I am sorry, I cannot help you right now. Please leave a message after the tone.",
    call_again="I am sorry, I cannot help you right now. Please call again later. Goodbye.",
    message_thanks="Thank you for your message. Goodbye.",
    one_moment="One moment please, I will connect you.",
    nobody_reached="I am sorry, I could not reach anybody.",
    call_from="This is a call from {caller}.",
)
_TABLE = {
    "en": _ENGLISH,
    "de": Courtesies(
        still_there="Sind Sie noch da?",
        goodbye="Auf Wiederhören.",
        nobody_there="Ich kann Sie nicht mehr hören. Auf Wiederhören.",
        not_understood="Das habe ich leider nicht verstanden.",
        say_again="Entschuldigung, das habe ich nicht verstanden. Können Sie es bitte wiederholen?",
        cannot_help="Es tut mir leid, ich konnte Ihnen nicht helfen. Auf Wiederhören.",
        trouble="Es tut mir leid, bei uns gibt es eine technische Störung. Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
        time_is_up="Es tut mir leid, die Zeit für dieses Gespräch ist um. Auf Wiederhören.",
        did_you_say="Sagten Sie: {said}?",
        greeting="Guten Tag.",
        leave_message="Es tut mir leid, ich kann Ihnen gerade nicht helfen. Bitte sprechen Sie nach dem Ton.",
        call_again="Es tut mir leid, ich kann Ihnen gerade nicht helfen. Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
        message_thanks="Vielen Dank für Ihre Nachricht. Auf Wiederhören.",
        one_moment="Einen Moment bitte, ich verbinde Sie.",
        nobody_reached="Es tut mir leid, ich konnte niemanden erreichen.",
        call_from="Ein Anruf von {caller}.",
    ),
    "fr": Courtesies(
        still_there="Vous êtes toujours là ?",
        goodbye="Au revoir.",
        nobody_there="Je ne vous entends plus. Au revoir.",
        not_understood="Désolé, je n'ai pas compris.",
        say_again="Désolé, je n'ai pas compris. Pouvez-vous répéter, s'il vous plaît ?",
        cannot_help="Je suis désolé, je n'ai pas pu vous aider. Au revoir.",
        trouble="Je suis désolé, nous avons un problème technique. Veuillez rappeler plus tard. Au revoir.",
        time_is_up="Je suis désolé, le temps de cet appel est écoulé. Au revoir.",
        did_you_say="Avez-vous dit : {said} ?",
        greeting="Bonjour.",
        leave_message="Je suis désolé, je ne peux pas vous aider maintenant. Veuillez laisser un message après le signal.",
        call_again="Je suis désolé, je ne peux pas vous aider maintenant. Veuillez rappeler plus tard. Au revoir.",
        message_thanks="Merci pour votre message. Au revoir.",
        one_moment="Un instant s'il vous plaît, je vous mets en relation.",
        nobody_reached="Je suis désolé, je n'ai pu joindre personne.",
        call_from="Un appel de {caller}.",
    ),
    "es": Courtesies(
        still_there="¿Sigue ahí?",
        goodbye="Adiós.",
        nobody_there="Ya no le oigo. Adiós.",
        not_understood="Perdón, no le he entendido.",
        say_again="Perdón, no le he entendido. ¿Puede repetirlo, por favor?",
        cannot_help="Lo siento, no he podido ayudarle. Adiós.",
        trouble="Lo siento, tenemos un problema técnico. Por favor, llame más tarde. Adiós.",
        time_is_up="Lo siento, se ha acabado el tiempo de esta llamada. Adiós.",
        did_you_say="¿Ha dicho: {said}?",
        greeting="Buenos días.",
        leave_message="Lo siento, ahora no puedo ayudarle. Por favor, deje un mensaje después de la señal.",
        call_again="Lo siento, ahora no puedo ayudarle. Por favor, llame más tarde. Adiós.",
        message_thanks="Gracias por su mensaje. Adiós.",
        one_moment="Un momento, por favor, le paso.",
        nobody_reached="Lo siento, no he podido localizar a nadie.",
        call_from="Una llamada de {caller}.",
    ),
}


def courtesies(language: str | None) -> Courtesies:
    """The sentences of a language (ISO 639-1, a region is ignored); English where there are none."""
    return _TABLE.get((language or "en").lower().split("-")[0], _ENGLISH)
