/*
 * mutant: which deliberately broken engine a test has, and how it is broken.
 *
 * The linker puts a function of this folder before one of the engine's (--wrap), for each WRAP in
 * its sources: the engine's object files are the very ones that are shipped. Unless a test has set
 * a mutant, each calls what it wraps, and nothing is broken.
 *
 *   shown     what a node shows, and lists
 *   kept      what it keeps, and for how long
 *   answered  what it takes from clients, and tells them
 *   carried   how writes and links go, and clocks
 *   watched   what those who watch are told
 *   members   whom it knows, and what it believes of them
 *   sealed    what it seals, and what it opens
 */
#ifndef SIM_MUTANTS_MUTANT_H
#define SIM_MUTANTS_MUTANT_H

#include <stdbool.h>
#include <stdint.h>

enum mutant {
    MUTANT_NONE,
    MUTANT_FOUNDER,     /* takes a provider's failure for the answer that nobody is there */
    MUTANT_EAGER,       /* begins an enclave without the expected members */
    MUTANT_HERMIT,      /* asks nobody that discovery names */
    MUTANT_LATE,        /* serves and keeps half a second too long */
    MUTANT_GENEROUS,    /* gives five seconds more to live than was asked for */
    MUTANT_MISERLY,     /* gives three quarters of the time to live */
    MUTANT_FLEETING,    /* gives a second */
    MUTANT_BOASTFUL,    /* answers that it gives twice as much */
    MUTANT_VAGUE,       /* answers that it ends five seconds later */
    MUTANT_MISNAMING,   /* answers with another version */
    MUTANT_CONFUSED,    /* takes a key for its twin */
    MUTANT_STRETCHING,  /* counts the time to live from the stamp */
    MUTANT_VAIN,        /* forgets that a stamp ran ahead, and takes it for the time of writing */
    MUTANT_GARBLER,     /* changes a byte of what it serves */
    MUTANT_SMUDGING,    /* changes a byte of large values */
    MUTANT_ROUNDING,    /* serves what it has with an end a millisecond earlier */
    MUTANT_MINGLING,    /* puts everybody into one enclave */
    MUTANT_STALE,       /* serves now and then what it served before */
    MUTANT_FITFUL,      /* now and then finds nothing of what it has had for long */
    MUTANT_BRIEF,       /* serves nothing in the last ten seconds of its time */
    MUTANT_DROPPING,    /* drops everything ten seconds early */
    MUTANT_DISCARDING,  /* drops everything a minute early */
    MUTANT_SECRETIVE,   /* lists nothing */
    MUTANT_SKIPPING,    /* now and then leaves the next key out of a listing */
    MUTANT_TRAILING,    /* lists and keeps half a second too long */
    MUTANT_CIRCLING,    /* now and then lists from the start again */
    MUTANT_LITERAL,     /* lists no key by the whole of it */
    MUTANT_UNTOLD,      /* now and then tells watchers nothing of a put */
    MUTANT_UNENDING,    /* tells watchers of no end */
    MUTANT_HUSHED,      /* tells watchers nothing of an end that a later version brings about */
    MUTANT_BARE,        /* begins a watch anew without the entries that there are */
    MUTANT_FOREHANDED,  /* tells changes of keys that a listing of the entries comes to yet */
    MUTANT_OVERHASTY,   /* goes on one event later than where the watcher was */
    MUTANT_DEFERRED,    /* serves what it has written only from the next millisecond on */
    MUTANT_NO_GUARDS,   /* a replaced version leaves no trace */
    MUTANT_FORGETFUL,   /* at the end drops what has time left */
    MUTANT_HASTY,       /* one holder is a quorum */
    MUTANT_SOLITARY,    /* counts nobody but itself */
    MUTANT_DUMB,        /* answers no write */
    MUTANT_SILENT,      /* says nothing when the quorum does not answer */
    MUTANT_MUTE,        /* now and then says nothing when it does */
    MUTANT_SWALLOWING,  /* now and then takes a write, and does nothing */
    MUTANT_TARDY,       /* waits for the quorum for longer than it may */
    MUTANT_ECHOING,     /* answers twice */
    MUTANT_OBLIVIOUS,   /* takes every condition for one that holds */
    MUTANT_DOUBTFUL,    /* takes none for one that does */
    MUTANT_POLITE,      /* answers what it has no room for, too */
    MUTANT_EVASIVE,     /* says 202 whatever the quorum holds */
    MUTANT_TIMID,       /* now and then says 202 though the quorum holds it */
    MUTANT_OFFENDED,    /* never asks a member again that could not take a write */
    MUTANT_PRICKLY,     /* gives a write up once anybody has refused it */
    MUTANT_SOCIABLE,    /* counts members that follow another clock */
    MUTANT_LIAR,        /* acknowledges records that it does not keep */
    MUTANT_PICKY,       /* takes every other record of others for an old one */
    MUTANT_REPEATING,   /* sends every write twice */
    MUTANT_NODDING,     /* acknowledges everything many times over */
    MUTANT_RASH,        /* declares somebody dead now and then */
    MUTANT_FAITHFUL,    /* declares nobody dead */
    MUTANT_OVERWEIGHT,  /* holds more bytes than it may */
    MUTANT_GREEDY,      /* takes twice as much as it may */
    MUTANT_LONG_QUEUE,  /* says that it queues more than it may */
    MUTANT_HOARDING,    /* queues everything many times, and more than it may */
    MUTANT_JUMPY,       /* its clock steps while it has records */
    MUTANT_UNDATED,     /* exchanges data whatever the clocks */
    MUTANT_SOLO,        /* follows the leading clock, not that of the many */
    MUTANT_GRUDGING,    /* never asks the dead whether they are back */
    MUTANT_IDLE,        /* never reconciles */
    MUTANT_BLIND,       /* the same, and all its digests are equal */
    MUTANT_HANGMAN,     /* never asks a member whether it is dead, as others say */
    MUTANT_PLIANT,      /* takes hearsay for its own finding, and never takes it back */
    MUTANT_CREDULOUS,   /* believes of every address that it receives */
    MUTANT_LAVISH,      /* answers everybody at length */
    MUTANT_NAIVE,       /* takes cards that others show as certain */
    MUTANT_FLATTERED,   /* counts members that it knows from hearsay only */
    MUTANT_BELIEVER,    /* takes any incarnation for a member's */
    MUTANT_GULLIBLE,    /* takes anybody's card for a suspect's refutation */
    MUTANT_EASED,       /* takes any datagram in a member's name for its answer */
    MUTANT_CURTAINED,   /* takes anybody's word that the dead have left */
    MUTANT_TOUCHY,      /* counts itself unwell whenever anybody says that it is dead */
    MUTANT_LOST,        /* takes anybody's word for where it is */
    MUTANT_MEEK,        /* gives a link away to anybody who claims it */
    MUTANT_STUBBORN,    /* never gives up a link that is silent */
    MUTANT_SLOPPY,      /* its numbers do not add up */
    MUTANT_AMNESIC,     /* takes what has come before */
    MUTANT_REWOUND,     /* now and then sends a number again */
    MUTANT_CANDID,      /* takes what is not sealed */
    MUTANT_BABBLING,    /* now and then sends in clear */
    MUTANT_WISTFUL,     /* writes under the last key that the other holds */
    MUTANT_ADDRESSLESS, /* seals for everybody alike */
    MUTANT_CLINGING,    /* keeps links whose key was removed */
};

enum {
    MUTANT_LATE_MS = 500,
    MUTANT_BRIEF_MS = 10000,
    MUTANT_MINUTE_MS = 60000,
    MUTANT_GENEROUS_MS = 5000,
    MUTANT_AHEAD_MS = 20000, /* stamps run so far ahead where a story has them do so */
    MUTANT_SOME_EVERY = 20,  /* of answers, or writes */
};

/* What a trial's story is over at: the nodes' wall clocks are right, and virtual time begins at a
 * second. */
#define MUTANT_WALL_MS UINT64_C(1767225600000)
#define MUTANT_RUN_MS UINT64_C(120000)
#define MUTANT_LATE_IN_LIFE_MS (MUTANT_WALL_MS + MUTANT_RUN_MS + 6000)

/* From now on the engines are broken in this way; turns are counted from 0. */
void mutant_set(enum mutant m);
bool mutant_is(enum mutant m);

/* From now on stamps run ahead, as though another node's clock had pushed everybody's. */
void mutant_set_ahead(bool is_ahead);
bool mutant_is_ahead(void);

/* True once in so many calls. */
bool mutant_is_turn(uint32_t every);

/* The names are the linker's: __real_x is the engine's x, and __wrap_x is called for it. A source
 * with such names says NOLINT for them. */
#define WRAP(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

#endif
