#include "net/api/mget_request.h"

#include "core/base/base64.h"
#include "core/store/record.h"
#include "net/http/json_out.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 2 }; /* an object of arrays */

static const char NO_ROOM[] = "There is no memory for so many keys.";
static const char NO_JSON[] =
    "The body is a JSON object with the arrays keys and keys_base64, or one of them.";
static const char TOO_MANY[] = "At most 1000 keys can be read at once.";
static const char BAD_KEY[] = "A key has 1 to 1024 bytes, any but NUL; text in keys is UTF-8.";
static const char BAD_BASE64[] = "A key in keys_base64 is in standard base64, with its padding.";

_Static_assert(MGET_KEYS_MAX == 1000, "as TOO_MANY says");

/* One string from behind its opening quote; returns what follows the closing one, NULL when it is
 * none. */
static const char *skip_string(const char *at, const char *end)
{
    for (; at < end; at++) {
        if ((unsigned char)*at < ' ') {
            return NULL;
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            at++;
            if (end - at >= 5 && memcmp(at, "u0000", 5) == 0) {
                return NULL;
            }
        }
    }
    return NULL;
}

/* Whether the text has the shape of a request: cheap to say, before anything is allocated. */
static const char *check_shape(const char *text, size_t len)
{
    const char *end = text + len;
    size_t commas = 0;
    int depth = 0;
    for (const char *at = text; at != NULL && at < end;) {
        const char c = *at++;
        if (c == '"') {
            at = skip_string(at, end);
            if (at == NULL) {
                return NO_JSON;
            }
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        commas += c == ',';
        if (depth > DEPTH_MAX || depth < 0 || c == '\0') {
            return NO_JSON;
        }
        if (commas > MGET_KEYS_MAX + 1) {
            return TOO_MANY;
        }
    }
    return NULL;
}

static const char *add_key(struct mget_request *rq, const uint8_t *bytes, size_t len, bool is_text)
{
    if (len == 0 || len > KEY_BYTES_MAX || memchr(bytes, '\0', len) != NULL) {
        return BAD_KEY;
    }
    if (rq->count == MGET_KEYS_MAX) {
        return TOO_MANY;
    }
    rq->keys[rq->count] =
        (struct mget_key){.at = (uint32_t)rq->bytes_len, .len = (uint16_t)len, .is_text = is_text};
    memcpy(rq->bytes + rq->bytes_len, bytes, len); /* a key is shorter than its JSON */
    rq->bytes_len += len;
    rq->count++;
    return NULL;
}

static const char *add_text(struct mget_request *rq, const char *text)
{
    const size_t len = strlen(text);
    return json_out_is_utf8((const uint8_t *)text, len)
               ? add_key(rq, (const uint8_t *)text, len, true)
               : BAD_KEY;
}

static const char *add_base64(struct mget_request *rq, const char *text)
{
    uint8_t bytes[KEY_BYTES_MAX];
    size_t len = 0;
    const enum rc rc = base64_decode(text, strlen(text), bytes, sizeof(bytes), &len);
    if (rc != RC_OK) {
        return rc == RC_TOO_LONG ? BAD_KEY : BAD_BASE64;
    }
    return add_key(rq, bytes, len, false);
}

/* The keys of one array. */
static const char *read_array(const cJSON *array, bool is_text, struct mget_request *rq,
                              bool *ret_is_key)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, array)
    {
        const char *text = cJSON_GetStringValue(item);
        if (text == NULL) {
            return NO_JSON;
        }
        const char *wrong = is_text ? add_text(rq, text) : add_base64(rq, text);
        if (wrong != NULL) {
            *ret_is_key = wrong == BAD_KEY || wrong == BAD_BASE64;
            return wrong;
        }
    }
    return NULL;
}

/* The object's members: the two that there are, each at most once. */
static const char *find_arrays(const cJSON *root, const cJSON **ret_keys, const cJSON **ret_base64)
{
    const cJSON *member = NULL;
    *ret_keys = NULL;
    *ret_base64 = NULL;
    cJSON_ArrayForEach(member, root)
    {
        const bool is_keys = strcmp(member->string, "keys") == 0;
        const cJSON **place = is_keys ? ret_keys : ret_base64;
        const bool is_known = is_keys || strcmp(member->string, "keys_base64") == 0;
        if (!is_known || *place != NULL || !cJSON_IsArray(member)) {
            return NO_JSON;
        }
        *place = member;
    }
    return *ret_keys == NULL && *ret_base64 == NULL ? NO_JSON : NULL;
}

static const char *read_root(const cJSON *root, struct mget_request *rq, bool *ret_is_key)
{
    const cJSON *keys = NULL;
    const cJSON *base64 = NULL;
    if (!cJSON_IsObject(root)) {
        return NO_JSON;
    }
    const char *wrong = find_arrays(root, &keys, &base64);
    if (wrong == NULL) {
        wrong = read_array(keys, true, rq, ret_is_key);
    }
    return wrong == NULL ? read_array(base64, false, rq, ret_is_key) : wrong;
}

/* White space and nothing else (RFC 8259 section 2). */
static bool is_blank(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0') {
        at++;
    }
    return at == end;
}

const char *mget_request_read(const char *text, size_t len, struct mget_request *ret_request,
                              bool *ret_is_key)
{
    *ret_is_key = false;
    *ret_request = (struct mget_request){.count = 0};
    const char *wrong = len > MGET_BODY_MAX ? NO_JSON : check_shape(text, len);
    if (wrong != NULL) {
        return wrong;
    }
    const char *end = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    if (root == NULL || !is_blank(end, text + len)) {
        wrong = NO_JSON;
    } else {
        ret_request->bytes = malloc(len);
        ret_request->keys = calloc(MGET_KEYS_MAX, sizeof(*ret_request->keys));
        ret_request->is_short = ret_request->bytes == NULL || ret_request->keys == NULL;
        wrong = ret_request->is_short ? NO_ROOM : read_root(root, ret_request, ret_is_key);
    }
    cJSON_Delete(root);
    return wrong;
}

void mget_request_fini(struct mget_request *request)
{
    free(request->keys);
    free(request->bytes);
    *request = (struct mget_request){.count = 0};
}
