/*
 * counters: what the engine counts, in one table that the metrics page and the tests read.
 */
#ifndef GOSSIP_WIRE_COUNTERS_H
#define GOSSIP_WIRE_COUNTERS_H

#include <stdint.h>

/* Counters, for metrics: monotonic, from the engine's start. X(name, help). */
#define ENGINE_COUNTERS(X)                                                           \
    X(datagrams_in, "Datagrams received from peers")                                 \
    X(datagrams_out, "Datagrams sent to peers")                                      \
    X(datagrams_malformed, "Datagrams dropped as malformed")                         \
    X(datagrams_stranger, "Datagrams dropped as of another cluster or version")      \
    X(datagrams_dropped, "Datagrams dropped by the full outbox")                     \
    X(cookies_sent, "Answers that ask an address to prove that it receives")         \
    X(answers_withheld, "Answers that would have been longer than what was asked")   \
    X(frames_malformed, "Peer links ended for malformed frames")                     \
    X(frames_unknown, "Unknown frames skipped")                                      \
    X(links_stranger, "Peer links refused as of another cluster or version")         \
    X(probes_sent, "Failure detector probes started")                                \
    X(probes_failed, "Failure detector probes without an answer")                    \
    X(probes_indirect, "Indirect probes asked for")                                  \
    X(suspicions, "Members suspected by this node")                                  \
    X(refutations, "Suspicions about this node that it refuted")                     \
    X(member_joins, "Members seen for the first time")                               \
    X(members_unanswered, "Members told of by others that never answered, dropped")  \
    X(member_deaths, "Members declared or learned dead")                             \
    X(puts, "Client writes stored")                                                  \
    X(puts_quorum, "Client writes that reached their quorum")                        \
    X(puts_pending, "Client writes answered before a quorum held them")              \
    X(puts_rejected_full, "Client writes refused for lack of storage")               \
    X(puts_rejected_ahead, "Client writes refused as stamps run ahead too far")      \
    X(records_sent, "Records sent to peers")                                         \
    X(records_received, "Records received from peers")                               \
    X(records_applied, "Records received from peers and newer than what was held")   \
    X(records_refused, "Records received from peers and refused")                    \
    X(acks_received, "Acknowledgements received")                                    \
    X(nacks_received, "Refusals received")                                           \
    X(link_overflows, "Peer link queues emptied because they were full")             \
    X(links_opened, "Peer links brought up")                                         \
    X(links_lost, "Peer links lost")                                                 \
    X(links_refused_addr, "Peer links refused: their address has too many unproven") \
    X(links_refused_all, "Peer links refused: there are too many")                   \
    X(links_displaced, "Peer links ended for newer ones, as nobody had answered")    \
    X(links_outgrown, "Peer links ended as the links took too much memory")          \
    X(syncs_started, "Reconciliations started")                                      \
    X(syncs_finished, "Reconciliations finished")                                    \
    X(syncs_vain, "Reconciliations that found nothing to exchange")                  \
    X(syncs_refused, "Reconciliations and joins refused: a peer asked for too many") \
    X(syncs_undecoded, "Reconciliations whose cells did not come out even")          \
    X(sync_bytes_sent, "Bytes sent to find out what is to be reconciled")            \
    X(sync_shadows_sent, "Shadows sent by reconciliation and joining")               \
    X(sync_shadows_received, "Shadows received by reconciliation and joining")       \
    X(sync_records_sent, "Records sent by reconciliation and joining")               \
    X(sync_records_received, "Records received by reconciliation and joining")       \
    X(tree_eager, "Writes pushed to others along broadcast trees")                   \
    X(tree_lazy, "Writes announced to others by their id")                           \
    X(tree_grafts, "Announced writes asked for, because they did not come")          \
    X(tree_prunes, "Links pruned from a tree, which had another way")                \
    X(tree_duplicates, "Writes that came twice along broadcast trees")               \
    X(tree_lost, "Announced writes given up and left to reconciliation")             \
    X(clock_conflicts, "Peers met whose clock is more than a minute off")

struct engine_counters {
#define ENGINE_COUNTER_FIELD(name, help) uint64_t name;
    ENGINE_COUNTERS(ENGINE_COUNTER_FIELD)
#undef ENGINE_COUNTER_FIELD
};

#endif
