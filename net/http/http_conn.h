/*
 * http_conn: one connection of the HTTP server, from its first byte to its last.
 *
 * Requests are handled one after the other, and what a client pipelines waits in an input buffer of
 * bounded size. While an answer leaves nothing behind it is parsed. While one is awaited that comes
 * later and is brief, as a PUT's is, those behind it are handled, HTTP_LATE_MAX at most: what they
 * change is changed in order, and their answers wait for their place. So a pipelined burst is
 * answered with one write. A connection is in exactly one phase, and each phase has its deadline:
 *
 *   HANDSHAKE of TLS                                   HTTP_HANDSHAKE_MS, reset
 *   IDLE      between requests                         idle timeout, closes silently
 *   HEAD      request line and headers arriving        request timeout from the first byte, 408
 *   BODY      body arriving                            too slow over a request timeout, 408
 *   HELD      body not read: http_server_hold_bodies, or
 *             no room for it beside the others            request timeout, 503
 *   DEFERRED  answers are late, and no request is arriving
 *   ANSWER    bytes of the answer leave                too slow over a request timeout, reset
 *   PAUSED    a stream has nothing to say for now      asked again after HTTP_PAUSE_MS
 *   WAITING   a stream has nothing to say until it is woken; no deadline
 *   LINGER    said goodbye, lets the client read it    HTTP_LINGER_MS or HTTP_LINGER_BYTES, closes
 *   CLOSED    freed at the end of the current event
 *
 * End of input after a whole request is a half-close: the answer is sent, then the connection ends.
 * A reset ends it at once, and nobody awaits its late answers any more.
 *
 * What a client has sent is worked off to the end, in turns. When a connection could go on, but
 * neither its socket nor a deadline nor a late answer will call it, it calls shared->woken().
 * That is judged in one place, at the end of every event, from what the connection holds then.
 *
 * Writing is tried at once and only what the socket does not take waits for the loop: that spares
 * two epoll_ctl() calls on each small answer. Reading is net/http/http_input: a small request is
 * one recv() and one writev().
 */
#ifndef NET_HTTP_HTTP_CONN_H
#define NET_HTTP_HTTP_CONN_H

#include "net/http/http_state.h"

/* How long a turn is while so many connections have more to do than one. */
uint64_t http_conn_turn_bytes(uint32_t woken_count);

/* Takes the descriptor. NULL, with it closed, when out of memory. */
struct http_conn *http_conn_new(struct http_shared *shared, int fd, const struct addr *peer,
                                uint32_t slot, bool is_over);

/* Counts the time of its first request from now on, for that deadline is shorter than an idle
 * one's. The connection may be gone after it. */
void http_conn_hurry(struct http_conn *c);

/* Frees it at once, in any phase; only `shared->closed` is called. */
void http_conn_free(struct http_conn *c);

/* Answers an exchange that http_output_awaits(); `rs` is left empty. */
void http_conn_complete(struct http_conn *c, uint64_t id, struct http_response *rs);

/* Its deadline has passed. */
void http_conn_expire(struct http_conn *c);

/* Its body comes too slowly for another that waits for room: 408. It may be gone after it. */
void http_conn_outpaced(struct http_conn *c);

/* Bodies are held: if one is arriving it is read no further. */
void http_conn_hold(struct http_conn *c);

/* Goes on with what it holds, for one turn, after shared->woken(). */
void http_conn_go_on(struct http_conn *c);

/* A body that is held goes on, if it may; false when it may not yet. */
bool http_conn_resume(struct http_conn *c);

/* Its stream has more to say, if it is WAITING. */
void http_conn_wake(struct http_conn *c);

/* Ends it if nothing is in progress. */
void http_conn_drain(struct http_conn *c);

#endif
