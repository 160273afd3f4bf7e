/*
 * tls_context: what this node speaks TLS with: its certificate, whose certificates it believes, and
 * how links are told from HTTPS on the one port.
 *
 * One OpenSSL context serves all: a ClientHello that asks for a link (net/crypto/psk) gets one by
 * the cluster's secret, if there is one, and never by a certificate; any other one is HTTPS:
 * TLS 1.2 or later, ECDHE with AEAD, no renegotiation, no compression, tickets but no cache of
 * sessions. A certificate and its key are taken together or not at all, and connections that are
 * open keep what they were made with. Left out: where the texts come from.
 */
#ifndef NET_CRYPTO_TLS_CONTEXT_H
#define NET_CRYPTO_TLS_CONTEXT_H

#include "core/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_WHY_SIZE = 200, /* a sentence, with its NUL */
    /* Names of authorities that a client is told, so that it shows the right certificate. More are
     * believed, but a message of them all would be too long for some clients. */
    TLS_NAMES_MAX = 100,
};

enum tls_kind {
    TLS_KIND_OTHER, /* its ClientHello has not come */
    TLS_KIND_HTTPS,
    TLS_KIND_LINK,
    TLS_KINDS,
};

struct psk_config;
struct ssl_st;
struct tls_context;

/* Texts in PEM, borrowed for the call: a certificate with those that lead up to its authority, its
 * key without a password, and the authorities of clients (NULL: none are asked for). */
struct tls_pem {
    const char *cert, *key, *ca;
    size_t cert_len, key_len, ca_len;
};

/* What is wrong, in words, and with which of the three texts. */
enum tls_part { TLS_PART_CERT, TLS_PART_KEY, TLS_PART_CA };

struct tls_fault {
    enum tls_part part;
    char why[TLS_WHY_SIZE];
};

/* By the wall clock, in seconds since 1970. */
struct tls_dates {
    int64_t not_before_s, not_after_s;
};

/* Without a certificate: HTTPS is refused with an alert, and links are until they are taken. NULL
 * when out of memory. */
struct tls_context *tls_context_new(void);

/* After all streams that were made with it. */
void tls_context_free(struct tls_context *c);

/* Links are accepted with the keys of that ring, or refused while it has none, or is NULL. */
void tls_context_take_links(struct tls_context *c, const struct psk_config *links);

/* Takes the certificate, its key and the authorities for all connections from now on. RC_CONFIG
 * with *ret_fault written: something of it is no good, nothing is changed. RC_NO_MEMORY likewise,
 * without a word. Dates are not judged. */
MUST_USE enum rc tls_context_load(struct tls_context *c, const struct tls_pem *pem,
                                  struct tls_fault *ret_fault);

/* Whether HTTPS is served. */
bool tls_context_is_serving(const struct tls_context *c);

/* Of the certificate that is served. */
struct tls_dates tls_context_dates(const struct tls_context *c);

/* Whether anything of TLS is: HTTPS, or links with a key. */
bool tls_context_accepts(const struct tls_context *c);

/* Whether clients are asked for certificates. */
bool tls_context_asks_clients(const struct tls_context *c);

/* An SSL for stream_secure(), without a role. NULL when out of memory. */
struct ssl_st *tls_context_ssl(const struct tls_context *c);

/* One that accepts what comes to the port. NULL when out of memory. */
struct ssl_st *tls_context_acceptor(const struct tls_context *c);

/* What the ClientHello asked for. */
enum tls_kind tls_context_kind(const struct ssl_st *ssl);

/* Whether the client has shown a certificate of one of the authorities, valid when it did. */
bool tls_context_has_client(const struct ssl_st *ssl);

#endif
