/*
 * upgrade: how a peer link begins: the request that the dialing side sends, how the other side
 * knows it, and the answer.
 *
 *     GET /gossip HTTP/1.1 CRLF
 *     Host: <address>:<port> CRLF
 *     Connection: Upgrade CRLF
 *     Upgrade: repram-gossip/1 CRLF CRLF
 *
 *     HTTP/1.1 101 Switching Protocols CRLF
 *     Upgrade: repram-gossip/1, Connection: Upgrade, and what a proxy adds, CRLF CRLF
 *
 * After the empty line both directions carry frames (gossip/wire/frame). Anything but such an
 * answer means that no peer lives there. No socket here.
 */
#ifndef NET_LINK_UPGRADE_H
#define NET_LINK_UPGRADE_H

#include "core/base/addr.h"
#include "net/http/http.h"

#include <stddef.h>

#define UPGRADE_PROTOCOL "repram-gossip/1"

enum { UPGRADE_REQUEST_SIZE = 256, UPGRADE_ANSWER_MAX = 4096 };

/* Writes the request for a peer at `host`; returns its length. */
size_t upgrade_request(const struct addr *host, char ret_text[static UPGRADE_REQUEST_SIZE]);

/*
 * Looks at the first `len` bytes of an answer. RC_OK: the upgrade was accepted, *ret_head_len bytes
 * were its head. RC_AGAIN: not all of it is here. RC_REFUSED: HTTP, but not this upgrade.
 * RC_MALFORMED: not HTTP/1.1. RC_TOO_LONG: the head exceeds UPGRADE_ANSWER_MAX.
 */
MUST_USE enum rc upgrade_parse_answer(const void *data, size_t len, size_t *ret_head_len);

/* Whether a request asks for it. */
bool upgrade_is_asked(const struct http_request *rq);

/* Adds the headers that name the protocol: of a 101, and of the 426 to a request that lacks them.
 */
void upgrade_name(struct http_response *rs);

#endif
