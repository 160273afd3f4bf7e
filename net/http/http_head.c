#include "net/http/http_head.h"

#include "core/base/parse.h"

#include <string.h>
#include <strings.h>

static bool refuse(struct http_refusal *ret_refusal, int status, const char *code,
                   const char *detail)
{
    *ret_refusal = (struct http_refusal){status, code, detail};
    return false;
}

static bool bad(struct http_refusal *ret_refusal, const char *detail)
{
    return refuse(ret_refusal, 400, "invalid_request", detail);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool http_head_request_line(struct http_text line, struct http_request_line *ret_line,
                            struct http_refusal *ret_refusal)
{
    const char *space = memchr(line.data, ' ', line.len);
    const char *last = memrchr(line.data, ' ', line.len);
    if (space == NULL || last == space) {
        return bad(ret_refusal, "the request line is not \"method target HTTP/1.1\"");
    }
    const struct http_text method = {line.data, (size_t)(space - line.data)};
    const struct http_text target = {space + 1, (size_t)(last - space - 1)};
    const struct http_text version = {last + 1, (size_t)(line.data + line.len - last - 1)};
    if (!http_text_is_token(method)) {
        return bad(ret_refusal, "the method is not a token");
    }
    if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 || !is_digit(version.data[5]) ||
        version.data[6] != '.' || !is_digit(version.data[7])) {
        return bad(ret_refusal, "the protocol of the request line is not HTTP");
    }
    if (version.data[5] != '1') {
        return refuse(ret_refusal, 505, "unsupported", "only HTTP/1.1 and HTTP/1.0 are spoken");
    }
    for (size_t i = 0; i < target.len; i++) {
        const char c = target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return bad(ret_refusal, "the request target holds a byte that must be encoded");
        }
    }
    *ret_line = (struct http_request_line){method, target, version.data[7] - '0'};
    return true;
}

static enum http_method method_of(struct http_text text)
{
    static const struct {
        const char *name;
        enum http_method method;
    } table[] = {
        {"GET", HTTP_GET_},     {"PUT", HTTP_PUT_},         {"HEAD", HTTP_HEAD_},
        {"POST", HTTP_POST_},   {"OPTIONS", HTTP_OPTIONS_}, {"DELETE", HTTP_DELETE_},
        {"PATCH", HTTP_PATCH_},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (text.len == strlen(table[i].name) && memcmp(text.data, table[i].name, text.len) == 0) {
            return table[i].method;
        }
    }
    return HTTP_OTHER_;
}

/* host [ ":" port ] of RFC 3986, by its characters alone: no user, no space, no list. */
static bool is_authority(struct http_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const bool is_alnum = is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_alnum && (c == '\0' || strchr("-._~%!$&'()*+;=:[]", c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* Cuts scheme and authority off an absolute target; what remains may be empty or start with '?'. */
static bool cut_authority(struct http_text *target)
{
    size_t at = 0;
    if (target->len > 7 && strncasecmp(target->data, "http://", 7) == 0) {
        at = 7;
    } else if (target->len > 8 && strncasecmp(target->data, "https://", 8) == 0) {
        at = 8;
    }
    const size_t from = at;
    while (at < target->len && target->data[at] != '/' && target->data[at] != '?') {
        at++;
    }
    const struct http_text authority = {target->data + from, at - from};
    if (from == 0 || authority.len == 0 || !is_authority(authority)) {
        return false;
    }
    *target = (struct http_text){target->data + at, target->len - at};
    return true;
}

bool http_head_target(const struct http_request_line *line, struct http_request *rq,
                      struct http_refusal *ret_refusal)
{
    static const struct http_text root = {"/", 1};
    static const struct http_text asterisk = {"*", 1};
    struct http_text target = line->target;
    rq->method = method_of(line->method);
    if (http_text_is(line->method, "CONNECT")) {
        return refuse(ret_refusal, 501, "unsupported", "this is not a proxy");
    }
    if (target.len == 0 || target.data[0] != '/') {
        if (http_text_is(target, "*")) {
            if (rq->method != HTTP_OPTIONS_) {
                return bad(ret_refusal, "the target * is for OPTIONS only");
            }
        } else if (!cut_authority(&target)) {
            return bad(ret_refusal, "the request target is neither a path nor an http URL");
        } else if (target.len == 0) {
            target = rq->method == HTTP_OPTIONS_ ? asterisk : root;
        }
    }
    const char *mark = memchr(target.data, '?', target.len);
    const size_t path_len = mark == NULL ? target.len : (size_t)(mark - target.data);
    rq->target = path_len == 0 ? root : target;
    rq->path = path_len == 0 ? root : (struct http_text){target.data, path_len};
    rq->query = mark == NULL ? (struct http_text){"", 0}
                             : (struct http_text){mark + 1, target.len - path_len - 1};
    return true;
}

/* One line without its CRLF. */
static bool split_line(struct http_text line, struct http_header *ret_header,
                       struct http_refusal *ret_refusal)
{
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return bad(ret_refusal, "a header is folded over several lines");
    }
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL) {
        return bad(ret_refusal, "a header line has no colon");
    }
    const struct http_text name = {line.data, (size_t)(colon - line.data)};
    if (!http_text_is_token(name)) {
        return bad(ret_refusal, "a header's name is empty or not a token");
    }
    const struct http_text value =
        http_text_trim((struct http_text){colon + 1, line.len - name.len - 1});
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = (uint8_t)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return bad(ret_refusal, "a header's value holds a control byte");
        }
    }
    *ret_header = (struct http_header){name, value};
    return true;
}

bool http_head_split(struct http_text lines, struct http_header *ret_headers, size_t *ret_count,
                     struct http_refusal *ret_refusal)
{
    size_t count = 0;
    while (lines.len > 0) {
        const char *lf = memchr(lines.data, '\n', lines.len);
        const size_t len = lf == NULL ? 0 : (size_t)(lf - lines.data);
        if (len == 0 || lines.data[len - 1] != '\r') {
            return bad(ret_refusal, "a header line does not end in CRLF");
        }
        const struct http_text line = {lines.data, len - 1};
        if (line.len == 0) {
            break;
        }
        if (count == HTTP_HEADERS_MAX) {
            return refuse(ret_refusal, 431, "invalid_request", "more than 100 headers");
        }
        if (!split_line(line, &ret_headers[count], ret_refusal)) {
            return false;
        }
        count++;
        lines = (struct http_text){lines.data + len + 1, lines.len - len - 1};
    }
    *ret_count = count;
    return true;
}

/* "chunked" and nothing else. Other codings before a final chunked are answered with 501, as some
 * server could understand them. Without chunked at the end the body has no length at all. */
static bool judge_coding(struct http_text value, struct http_refusal *ret_refusal)
{
    if (http_text_is(value, "chunked")) {
        return true;
    }
    const char *comma = memrchr(value.data, ',', value.len);
    if (comma != NULL) {
        const struct http_text last = http_text_trim(
            (struct http_text){comma + 1, (size_t)(value.data + value.len - comma - 1)});
        const struct http_text first = {value.data, (size_t)(comma - value.data)};
        if (http_text_is(last, "chunked") &&
            !(first.len >= 7 && http_text_is((struct http_text){first.data, 7}, "chunked"))) {
            return refuse(ret_refusal, 501, "unsupported",
                          "no transfer coding but chunked is understood");
        }
    }
    return bad(ret_refusal, "Transfer-Encoding must be exactly chunked");
}

struct seen {
    const struct http_header *host, *length, *coding, *expect;
    unsigned host_count, length_count, coding_count, expect_count;
};

static struct seen look(const struct http_request *rq)
{
    struct seen seen = {.host = NULL};
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct http_header *header = &rq->headers[i];
        switch (header->name.len) {
        case 4:
            if (http_text_is(header->name, "Host")) {
                seen.host = header;
                seen.host_count++;
            }
            break;
        case 6:
            if (http_text_is(header->name, "Expect")) {
                seen.expect = header;
                seen.expect_count++;
            }
            break;
        case 14:
            if (http_text_is(header->name, "Content-Length")) {
                seen.length = header;
                seen.length_count++;
            }
            break;
        case 17:
            if (http_text_is(header->name, "Transfer-Encoding")) {
                seen.coding = header;
                seen.coding_count++;
            }
            break;
        default:
            break;
        }
    }
    return seen;
}

static bool judge_length(const struct seen *seen, int minor, struct http_framing *framing,
                         struct http_refusal *ret_refusal)
{
    if (seen->coding_count > 0) {
        if (minor == 0) {
            return bad(ret_refusal, "HTTP/1.0 has no Transfer-Encoding");
        }
        if (seen->length_count > 0) {
            return bad(ret_refusal, "both Content-Length and Transfer-Encoding are given");
        }
        framing->is_chunked = true;
        return seen->coding_count == 1 ? judge_coding(seen->coding->value, ret_refusal)
                                       : bad(ret_refusal, "Transfer-Encoding is given twice");
    }
    if (seen->length_count == 0) {
        return true;
    }
    if (seen->length_count > 1) {
        return bad(ret_refusal, "Content-Length is given twice");
    }
    const struct http_text value = seen->length->value;
    const enum rc rc = parse_u64(value.data, value.len, UINT64_MAX, &framing->content_length);
    return rc == RC_OK || bad(ret_refusal, "Content-Length is not a number");
}

bool http_head_framing(const struct http_request *rq, int minor, struct http_framing *ret_framing,
                       struct http_refusal *ret_refusal)
{
    const struct seen seen = look(rq);
    struct http_framing framing = {.is_chunked = false};
    if (seen.host_count > 1 || (seen.host_count == 0 && minor > 0)) {
        return bad(ret_refusal, "there must be exactly one Host header");
    }
    if (seen.host_count == 1 && !is_authority(seen.host->value)) {
        return bad(ret_refusal, "the Host header does not name a host");
    }
    if (!judge_length(&seen, minor, &framing, ret_refusal)) {
        return false;
    }
    if (seen.expect_count > 0 && minor > 0) {
        if (seen.expect_count > 1 || !http_text_is(seen.expect->value, "100-continue")) {
            return refuse(ret_refusal, 417, "unsupported", "only 100-continue can be expected");
        }
        framing.expects_continue = true;
    }
    *ret_framing = framing;
    return true;
}
