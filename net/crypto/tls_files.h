/*
 * tls_files: the files of a certificate, its key and the authorities of clients: read, judged
 * together, and looked at again for what is new in them.
 *
 * Who renews a certificate writes one file after the other, so that a look may find a pair that
 * does not fit: then nothing is taken, and the next look finds the rest. Left out: when to look,
 * and what is said of it (net/node_tls).
 */
#ifndef NET_CRYPTO_TLS_FILES_H
#define NET_CRYPTO_TLS_FILES_H

#include "net/crypto/tls_context.h"

enum {
    TLS_FILE_MAX = 1024 * 1024, /* bytes; a system's whole list of authorities has 220,000 */
    TLS_FILES_WHY_SIZE = TLS_WHY_SIZE + 320,
    TLS_DIGEST_BYTES = 32,
};

struct tls_files {
    const char *cert, *key, *ca;    /* paths, borrowed; `ca` "" where clients are not asked */
    uint8_t seen[TLS_DIGEST_BYTES]; /* of what was last looked at, whatever came of it */
    bool has_seen;
};

/* Whether a node could serve with these, as they are now. RC_CONFIG with *ret_why written: no.
 * RC_NO_MEMORY. Dates are not judged. */
MUST_USE enum rc tls_files_check(const char *cert, const char *key, const char *ca,
                                 char ret_why[static TLS_FILES_WHY_SIZE]);

/*
 * Looks at the files, and has the context take what is new. RC_OK: taken. RC_EXISTS: they are as
 * they were when last looked at, whether they were taken then or not. RC_CONFIG with *ret_why
 * written: they cannot be read, or are no good; the context is as it was. RC_NO_MEMORY likewise,
 * and they are looked at anew the next time.
 */
MUST_USE enum rc tls_files_look(struct tls_files *f, struct tls_context *c,
                                char ret_why[static TLS_FILES_WHY_SIZE]);

#endif
