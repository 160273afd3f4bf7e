/*
 * http_phase: where a connection stands (enum http_phase, net/http/http_conn), and until when it
 * may stand there.
 *
 * All deadlines of a phase are the same time away, so the server keeps a list for each phase in the
 * order of its deadlines and one timer for all. A connection may change its phase several times
 * while an event is handled. http_phase_settle() puts it into the right list once, at the end. What
 * follows from a deadline is for http_conn.
 */
#ifndef NET_HTTP_HTTP_PHASE_H
#define NET_HTTP_HTTP_PHASE_H

#include "net/http/http_state.h"

/* Enters a phase, perhaps the same anew; its deadline starts when the event is done with. */
void http_phase_enter(struct http_conn *c, enum http_phase phase);

bool http_phase_is(const struct http_conn *c, enum http_phase phase);

/* Bytes that passed in the direction that the phase is about; those of answers once the client has
 * them. */
uint64_t http_phase_progress(const struct http_conn *c);

/* Moves the connection to the list of the phase that it has come to, and starts its deadline, if it
 * has entered one. Not for closed ones. */
void http_phase_settle(struct http_conn *c);

#endif
