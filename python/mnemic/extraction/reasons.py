"""Why candidates are dropped and why a batch fails: the labels of the metrics, so that none is made up elsewhere."""

from __future__ import annotations

from enum import StrEnum


class Dropped(StrEnum):
    """Why a candidate did not become a fact; the last three count messages of which nothing was drawn."""

    UNKNOWN_SOURCE = "unknown_source"  # it names no message of the batch
    UNSUPPORTED_NAME = "unsupported_name"  # a name that its sources do not have
    UNSUPPORTED_NUMBER = "unsupported_number"  # a number that its sources do not have
    UNSUPPORTED_DATE = "unsupported_date"  # a date that does not follow from its sources
    UNSUPPORTED_WORDS = "unsupported_words"  # it has little in common with its sources
    EMPTY = "empty"  # no text, or no statement
    TOO_LONG = "too_long"  # longer than a fact may be
    DUPLICATE = "duplicate"  # the batch or the known facts have it already
    TOPIC = "topic"  # outside the topics that are wanted
    LOW_CONFIDENCE = "low_confidence"  # below the setting's least confidence
    MALFORMED = "malformed"  # not of the shape that was asked for
    MESSAGE_FILTERED = "message_filtered"  # the service refuses its content
    MESSAGE_TOO_LONG = "message_too_long"  # alone it is longer than the model takes or answers
    MESSAGE_UNREADABLE = "message_unreadable"  # what the model answers to it cannot be read


class Failure(StrEnum):
    """Why a batch will not succeed."""

    REFUSED = "refused"  # the service refuses the key, the model or the request
    CONTENT_FILTER = "content_filter"  # the service refuses the content
    UNREADABLE = "unreadable"  # the answer could not be read, nor that to a second asking
    TOO_LONG = "too_long"  # one message alone is longer than the model takes or answers
