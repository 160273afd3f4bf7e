/*
 * load: drives servers with GETs and PUTs and measures how they answer. One thread, one event loop.
 *
 * A run has up to three parts: every key is written once (fill), requests go out unmeasured (warm
 * up), requests are measured. Each connection keeps up to `depth` requests under way and sends the
 * next one when an answer comes. That is a closed loop: it asks less while the server stalls. So a
 * stall is measured once for each request under way, and not for all that would have come meanwhile
 * (coordinated omission). In bursts, a connection writes its next `depth` requests at once when all
 * answers to the last ones have come. So no later request helps a server that leaves some of them
 * unanswered, and the run does not end before the last burst is answered or its time is over.
 *
 * With a rate, requests, or bursts of them, fall due by the clock, wherever the answers are, and at
 * each server in turn (load_due). A latency counts from that moment, with the time that the request
 * had to wait for a connection. Those that were due in time are sent and waited for after the end,
 * for `timeout_ms` at most. What then has no answer counts with the time that it has waited, as
 * does what timed out: a stall is measured for every request that fell due in it.
 *
 * A connection that fails is opened again; requests that were under way on it have failed. Nothing
 * is asked a second time. Left out: checking values, output (cmd/client/client_bench).
 *
 * The process must ignore SIGPIPE.
 */
#ifndef NET_LOAD_LOAD_H
#define NET_LOAD_LOAD_H

#include "net/load/load_plan.h"

/* Lower-case, one word, static. */
const char *load_fault_name(enum load_fault fault);

/*
 * Runs it, on a loop of its own, until the requests or the time are used up, or SIGINT or SIGTERM
 * comes. RC_OK: *ret_result says what came of it, faults included. RC_REFUSED: given up, because
 * the key space could not be filled or nobody accepted a connection for `timeout_ms`; the result so
 * far is there. RC_NO_MEMORY: the loop could not be made. The caller calls load_result_fini() in
 * every case.
 */
MUST_USE enum rc load_run(const struct load_config *config, struct load_result *ret_result);
void load_result_fini(struct load_result *result);

#endif
