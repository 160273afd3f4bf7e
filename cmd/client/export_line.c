#include "cmd/client/export_line.h"

#include "net/http/json_out.h"
#include "net/sys/rfc3339.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of JSON are doubles; whole ones are exact up to here. */
static const double exact_max = 9007199254740992.0;

/* ---- Reading ---- */

/* Whether an escaped NUL is in it: cJSON would cut the text there, and the entry would get another
 * key. */
static bool has_nul(const char *text, size_t len)
{
    static const char NUL[] = "u0000";
    if (memchr(text, '\0', len) != NULL) {
        return true;
    }
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] == '\\') {
            if (len - i > sizeof(NUL) - 1 && memcmp(text + i + 1, NUL, sizeof(NUL) - 1) == 0) {
                return true;
            }
            i++; /* what is escaped begins no escape */
        }
    }
    return false;
}

static bool read_instant(const cJSON *item, uint64_t *ret_ms)
{
    const double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(number >= 0 && number <= exact_max)) {
        return false;
    }
    *ret_ms = (uint64_t)number;
    return (double)*ret_ms == number;
}

static const char *read_key(const cJSON *root, struct export_line *line)
{
    static const char wrong[] = "its key is no text of 1 to 1024 bytes";
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "key"));
    const char *base64 = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "key_base64"));
    if ((text != NULL) == (base64 != NULL)) {
        return text != NULL ? "it has both key and key_base64" : "it has no key";
    }
    if (base64 != NULL) {
        return base64_decode(base64, strlen(base64), line->key, sizeof(line->key),
                             &line->key_len) == RC_OK &&
                       line->key_len > 0 && memchr(line->key, '\0', line->key_len) == NULL
                   ? NULL
                   : "its key_base64 is no base64 of 1 to 1024 bytes without NUL";
    }
    line->key_len = strlen(text);
    if (line->key_len == 0 || line->key_len > sizeof(line->key)) {
        return wrong;
    }
    memcpy(line->key, text, line->key_len);
    return NULL;
}

static const char *read_value(const cJSON *root, struct export_line *line)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "value"));
    const size_t len = text != NULL ? strlen(text) : 0;
    if (text == NULL) {
        return "it has no value";
    }
    if (len == 0) {
        return NULL;
    }
    const size_t size = len / 4 * 3;
    line->value = malloc(size > 0 ? size : 1);
    if (line->value == NULL) {
        return "there is no memory for its value";
    }
    return base64_decode(text, len, line->value, size, &line->value_len) == RC_OK
               ? NULL
               : "its value is no base64";
}

static const char *read_head(const cJSON *root)
{
    uint64_t version = 0;
    if (!read_instant(cJSON_GetObjectItemCaseSensitive(root, "version"), &version)) {
        return "its version is no number";
    }
    return version == EXPORT_LINE_VERSION ? NULL : "its version is not 1, the only one known here";
}

static const char *read_object(const cJSON *root, struct export_line *line)
{
    if (!cJSON_IsObject(root)) {
        return "it is no JSON object";
    }
    line->is_head = cJSON_GetObjectItemCaseSensitive(root, "exported_at") != NULL;
    if (line->is_head) {
        return read_head(root);
    }
    const char *wrong = read_key(root, line);
    if (wrong != NULL) {
        return wrong;
    }
    if (!read_instant(cJSON_GetObjectItemCaseSensitive(root, "expires"), &line->expires_ms)) {
        return "its expires is no number of milliseconds";
    }
    if (cJSON_GetObjectItemCaseSensitive(root, "created") != NULL &&
        !read_instant(cJSON_GetObjectItemCaseSensitive(root, "created"), &line->created_ms)) {
        return "its created is no number of milliseconds";
    }
    return read_value(root, line);
}

const char *export_line_read(const char *text, size_t len, struct export_line *ret_line)
{
    const char *end = NULL;
    memset(ret_line, 0, sizeof(*ret_line));
    if (has_nul(text, len)) {
        return "there is a NUL in it";
    }
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    while (root != NULL && end < text + len && (*end == ' ' || *end == '\t' || *end == '\r')) {
        end++;
    }
    const char *wrong = root != NULL && end != text + len ? "more follows its JSON object"
                                                          : read_object(root, ret_line);
    cJSON_Delete(root);
    return wrong;
}

void export_line_fini(struct export_line *line)
{
    free(line->value);
    line->value = NULL;
}

/* ---- Writing ---- */

enum rc export_line_write_head(struct buf *out, uint64_t exported_ms, const char *network,
                               const char *enclave)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_begin(&o, NULL, '{');
    json_out_u64(&o, "version", EXPORT_LINE_VERSION);
    json_out_time(&o, "exported_at", exported_ms);
    json_out_text(&o, "repram", REPRAM_VERSION);
    json_out_text(&o, "network", network);
    json_out_text(&o, "enclave", enclave);
    json_out_end(&o, '}');
    return json_out_ok(&o) ? buf_append(out, "\n", 1) : RC_NO_MEMORY;
}

enum rc export_line_write(struct buf *out, const struct export_line *entry,
                          const char *value_base64)
{
    char key[JSON_OUT_QUOTED_MAX(KEY_BYTES_MAX)];
    char figures[128];
    size_t len = 0;
    const bool is_text = json_out_is_utf8(entry->key, entry->key_len);
    if (is_text) {
        len = json_out_quote(entry->key, entry->key_len, key);
    } else {
        key[len++] = '"';
        len += base64_encode(entry->key, entry->key_len, key + len);
        key[len++] = '"';
    }
    const char *name = is_text ? "{\"key\":" : "{\"key_base64\":";
    enum rc rc = buf_append(out, name, strlen(name));
    rc = rc == RC_OK ? buf_append(out, key, len) : rc;
    rc = rc == RC_OK ? buf_append(out, ",\"value\":\"", 10) : rc;
    rc = rc == RC_OK ? buf_append(out, value_base64, strlen(value_base64)) : rc;
    const int figures_len =
        snprintf(figures, sizeof(figures), "\",\"expires\":%llu,\"created\":%llu}\n",
                 (unsigned long long)entry->expires_ms, (unsigned long long)entry->created_ms);
    return rc == RC_OK ? buf_append(out, figures, (size_t)figures_len) : rc;
}
