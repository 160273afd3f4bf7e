/*
 * psk: links by TLS 1.3 with an external pre-shared key (RFC 8446 sections 2.2 and 4.2.11): what a
 * connection of OpenSSL is told to be one end of a link, and whether it came to that.
 *
 * Both ends have TLS 1.3 alone, TLS_AES_256_GCM_SHA384, X25519 (psk_dhe_ke) and ALPN
 * "repram-gossip/1"; no tickets, no early data, no certificate. The identity is "repram/1/" and the
 * key's id as four hexadecimal digits; the key is gossip/sealing/keyring's of links. It goes in by
 * way of a session, as OpenSSL's older callbacks for it know SHA-256 alone.
 *
 * Where no key is agreed on, TLS goes on with a certificate, if there is one, and succeeds. So a
 * finished handshake means nothing before psk_link_key() has been asked.
 *
 * Left out: reading and writing, and telling links from HTTPS before that.
 */
#ifndef NET_CRYPTO_PSK_H
#define NET_CRYPTO_PSK_H

#include "gossip/sealing/keyring.h"

#include <stddef.h>

struct ssl_st;

#define PSK_ALPN "repram-gossip/1"

enum {
    PSK_RECORD_BYTES = 16 * 1024, /* the longest record's content, RFC 8446 section 5.1 */
    /* Records under one sending key. AES-GCM may do 2^24.5 of full length (RFC 8446 section 5.5);
     * these are 64 GiB. OpenSSL counts none of them. */
    PSK_KEY_RECORDS_MAX = 1 << 22,
};

struct psk_config {
    const struct keyring *ring; /* borrowed until the connection is freed */
    uint32_t key_records_max;   /* PSK_KEY_RECORDS_MAX; after these the sending key is updated */
};

/* Makes it the end that dials, under the key `key_id` of the ring, which is not `open`.
 * RC_NOT_FOUND: the ring has it not. RC_NO_MEMORY. The caller frees the connection. */
MUST_USE enum rc psk_dial(struct ssl_st *ssl, const struct psk_config *config, uint16_t key_id);

/* Whether a list of protocols (RFC 7301 section 3.1), each behind its length and without the list's
 * own, has this one. What stands behind a name that is cut short is not read. */
bool psk_lists(const uint8_t *names, size_t len, const char *protocol);

/* Whether the ClientHello asks for a link. Only from within the ClientHello's callback. */
bool psk_is_asked(struct ssl_st *ssl);

/* Makes it the end that is dialed, with all keys that the ring has by then. Also from within the
 * ClientHello's callback; another time it changes nothing. RC_NO_MEMORY. */
MUST_USE enum rc psk_accept(struct ssl_st *ssl, const struct psk_config *config);

/* Whether one of the two was called. */
bool psk_is_set(const struct ssl_st *ssl);

/* The id of the key that the finished handshake was made with. 0: it is no link, and is to end
 * before anything is said or believed. */
uint16_t psk_link_key(const struct ssl_st *ssl);

/* The id of the key that the ClientHello, once taken, has proved. 0: none. It may be a recording,
 * so it says nothing of who is there. */
uint16_t psk_hello_key(const struct ssl_st *ssl);

/* `len` bytes were written to the end: after so many records updates the sending key, as soon as
 * the socket takes the message at once. Nothing where it is no link. */
void psk_wrote(struct ssl_st *ssl, size_t len);

#endif
