/*
 * effects: what a simulated network and its faults have really done, in one table that the report
 * reads. A scenario that changed nothing has no count.
 */
#ifndef SIM_EFFECTS_H
#define SIM_EFFECTS_H

#include <stdint.h>

/* X(name, what it counts). */
#define SIM_EFFECTS(X)                                                                 \
    X(starts, "nodes started, the first time included")                                \
    X(kills, "nodes killed")                                                           \
    X(silent_crashes, "nodes gone silent, as by a pulled cable")                       \
    X(leaves, "nodes that said goodbye")                                               \
    X(pauses, "nodes stopped for a while")                                             \
    X(cuts, "ways closed: partitions, blocks")                                         \
    X(heals, "ways opened again")                                                      \
    X(clocks_set, "wall clocks set wrong or stepped")                                  \
    X(blinded, "nodes whose discovery fails at first")                                 \
    X(datagrams_lost, "datagrams lost by chance")                                      \
    X(datagrams_burst, "datagrams lost in bursts")                                     \
    X(datagrams_blocked, "datagrams that a closed way kept")                           \
    X(datagrams_refused, "datagrams to a closed port, which its host refused")         \
    X(datagrams_twice, "datagrams duplicated")                                         \
    X(datagrams_replayed, "old datagrams brought again")                               \
    X(datagrams_spoiled, "datagrams cut, lengthened or replaced by noise")             \
    X(datagrams_forged, "datagrams of a stranger, who receives nothing")               \
    X(datagrams_overheard, "sealed datagrams brought again or changed by who records") \
    X(key_changes, "times that a node was given other keys")                           \
    X(ends_lost, "ends of streams that were reset, and the other not told")            \
    X(links_claimed, "links on which a stranger says to be a member")                  \
    X(datagrams_late, "datagrams held back, so that later ones overtake them")         \
    X(segments_resent, "stream segments lost and sent again")                          \
    X(pieces_held, "times that a closed way held up what a stream has under way")      \
    X(streams_reset, "streams reset after 10 s without progress")                      \
    X(streams_spoiled, "pieces of streams replaced by noise or foreign words")         \
    X(watches, "times that somebody has begun to watch a node")                        \
    X(watches_resumed, "of these, those that went on where they had been")             \
    X(allocations_failed, "calls for memory that failed")

struct effects {
#define SIM_EFFECT_FIELD(name, help) uint64_t name;
    SIM_EFFECTS(SIM_EFFECT_FIELD)
#undef SIM_EFFECT_FIELD
};

#endif
