/*
 * http_output: the way out of a connection: answers, what is left of them for the loop to write,
 * and the end.
 *
 * Writing is tried once a turn, by http_output_flush(), for all answers that the turn has made;
 * what the socket does not take waits until it is writable. Answers behind one that comes later
 * wait for it in buffers of their own. A connection ends by going into the phase CLOSED; it is
 * freed by http_conn when the current event is done with.
 */
#ifndef NET_HTTP_HTTP_OUTPUT_H
#define NET_HTTP_HTTP_OUTPUT_H

#include "net/http/http_state.h"

/* Queues an answer, or takes note that it comes later or never (Upgrade: the phase is CLOSED then).
 * Answers leave in the order of the requests. */
void http_output_answer(struct http_conn *c, struct http_response *rs);

/* Whether the answer to that exchange is late, and still wanted. */
bool http_output_awaits(const struct http_conn *c, uint64_t id);

/* The answer to an exchange that is awaited. Only what is not behind another that is awaited goes
 * into the output. */
void http_output_complete(struct http_conn *c, uint64_t id, struct http_response *rs);

/* Whether a request may begin behind those whose answers are late. */
bool http_output_has_place(const struct http_conn *c);

/* "100 Continue", in its place among the answers. */
MUST_USE enum rc http_output_continue(struct http_conn *c);

/* Frees what the server keeps for the next late answers. */
void http_output_free_spare(struct http_shared *shared);

/* Forgets the late ones. */
void http_output_drop_late(struct http_conn *c);

/* More of a blob or a stream. */
void http_output_fill(struct http_conn *c);

/* A stream that waits (HTTP_PHASE_WAITING) is asked once, and what it says goes to the socket by
 * one call. Only what that does not take is kept. */
void http_output_wake(struct http_conn *c);

/* Writes what it can now; the rest is left to the loop. */
void http_output_flush(struct http_conn *c);

/* Whether the loop is to write. */
void http_output_set_writing(struct http_conn *c, bool is_writing);

/* The last answer has left: closes, at once or after LINGER. */
void http_output_end(struct http_conn *c);

/* In LINGER: drops what has come, and closes when that was enough. */
void http_output_linger(struct http_conn *c);

/* Ends it at once. What the kernel still holds for a client that does not read is dropped too. */
void http_output_reset(struct http_conn *c);

#endif
