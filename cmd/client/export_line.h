/*
 * export_line: one line of what `repram export` writes and `repram import` reads: a JSON object.
 *
 *   {"version":1,"exported_at":"2026-11-20T08:00:00.000Z","repram":"0.1.0",...}   the head
 *   {"key":"a","value":"aGVsbG8=","expires":1795161600123,"created":1795161000123}
 *   {"key_base64":"/w==", ...}                             a key that is no UTF-8
 *
 * Values are in base64; instants are milliseconds since the Unix epoch by the cluster's clock.
 * Members that are not known are skipped, so that later versions may add some. Sans-IO.
 */
#ifndef CMD_CLIENT_EXPORT_LINE_H
#define CMD_CLIENT_EXPORT_LINE_H

#include "core/base/base64.h"
#include "core/base/buf.h"
#include "core/base/rc.h"
#include "core/store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXPORT_LINE_VERSION = 1,
    EXPORT_LINE_REST_MAX = 16 * 1024, /* of a line, beside its value: the key, escaped, and more */
};

/* A line with the largest value that the protocol knows. */
#define EXPORT_LINE_MAX (BASE64_TEXT_MAX((size_t)RECORD_VALUE_MAX) + EXPORT_LINE_REST_MAX)

struct export_line {
    bool is_head; /* and nothing else is set */
    uint8_t key[KEY_BYTES_MAX];
    size_t key_len; /* 1 or more */
    uint8_t *value; /* owned; NULL when empty */
    size_t value_len;
    uint64_t expires_ms;
    uint64_t created_ms; /* 0 when the line does not say */
};

/* Reads a line without its end. Returns what is wrong with it, for people, or NULL;
 * export_line_fini() follows in every case. The parser without memory takes a line for no JSON. */
const char *export_line_read(const char *text, size_t len, struct export_line *ret_line);
void export_line_fini(struct export_line *line);

/* Appends the head, with its line end; the texts are the exporting node's. RC_NO_MEMORY, RC_FULL.
 */
MUST_USE enum rc export_line_write_head(struct buf *out, uint64_t exported_ms, const char *network,
                                        const char *enclave);

/* The same of an entry, whose value is in base64 already. */
MUST_USE enum rc export_line_write(struct buf *out, const struct export_line *entry,
                                   const char *value_base64);

#endif
