/*
 * http_intake: the way in of a connection: from bytes of input to the call of the handler.
 *
 * It decides what is asked of a request before its body is read: who the client is, the limits on
 * rates and connections, the longest body, Expect. What leaves the connection is http_output's.
 */
#ifndef NET_HTTP_HTTP_INTAKE_H
#define NET_HTTP_HTTP_INTAKE_H

#include "net/http/http_state.h"

/* Parses one piece of the input and acts on what it comes to; only in the phases IDLE, HEAD and
 * BODY. False when it needs more input. */
bool http_intake_step(struct http_conn *c);

/* Whether http_intake_step() would find something to parse: half of an empty line before a request
 * is nothing. */
bool http_intake_has_some(const struct http_conn *c);

/* A request begins: the phase is HEAD. */
void http_intake_begin(struct http_conn *c);

/* Whether this connection's body may be read now: bodies are not held, and there is room for what
 * has come of it beside the others that are arriving. */
bool http_intake_has_room(const struct http_conn *c);

/* The headers are accepted and a body follows: BODY, after "100 Continue" if it is waited for, or
 * HELD while http_intake_has_room() says no. */
void http_intake_start_body(struct http_conn *c);

/* Answers with a problem of the server's own and reads no more: what would follow cannot be
 * trusted, or is not wanted. */
void http_intake_refuse(struct http_conn *c, int status, const char *code, const char *detail);

/* The request is not needed any more. */
void http_intake_release(struct http_conn *c);

#endif
