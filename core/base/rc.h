/*
 * rc: result codes, the one table of everything a fallible function of ours can say.
 *
 * 0 is success, everything else is negative. A function that returns an `enum rc` leaves its
 * outputs and the object it works on untouched when it fails, unless its header says otherwise.
 */
#ifndef CORE_BASE_RC_H
#define CORE_BASE_RC_H

#define RC_TABLE(X)                                      \
    X(OK, 0, "ok")                                       \
    X(NO_MEMORY, -1, "out of memory")                    \
    X(FULL, -2, "a limit was reached")                   \
    X(NOT_FOUND, -3, "not found")                        \
    X(EXISTS, -4, "exists already")                      \
    X(MALFORMED, -5, "malformed")                        \
    X(TOO_LONG, -6, "too long")                          \
    X(TOO_SHORT, -7, "too short")                        \
    X(RANGE, -8, "out of range")                         \
    X(EXPIRED, -9, "expired")                            \
    X(STALE, -10, "older than what is held")             \
    X(JOINING, -11, "still joining")                     \
    X(DRAINING, -12, "draining")                         \
    X(OVERLOADED, -13, "overloaded")                     \
    X(PRECONDITION, -14, "precondition failed")          \
    X(AGAIN, -15, "not now, try again")                  \
    X(CLOSED, -16, "closed")                             \
    X(REFUSED, -17, "refused")                           \
    X(TIMEOUT, -18, "timed out")                         \
    X(IO, -19, "input or output error")                  \
    X(STRANGER, -20, "of another cluster")               \
    X(VERSION, -21, "no common protocol version")        \
    X(UNSUPPORTED, -22, "not supported in this version") \
    X(CONFIG, -23, "bad configuration")                  \
    X(AHEAD, -24, "stamps run ahead of the clock")

enum rc {
#define RC_ENUM(name, value, text) RC_##name = (value),
    RC_TABLE(RC_ENUM)
#undef RC_ENUM
};

#define MUST_USE __attribute__((warn_unused_result))

/* A lower-case phrase for people. Never NULL; static. */
const char *rc_text(enum rc rc);

#endif
