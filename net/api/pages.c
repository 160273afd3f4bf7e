#include "net/api/pages.h"

#include "core/base/buf.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* RFC 9110 section 8.8.3: quotes, the tag, and "-gz" for the compressed form, whose bytes differ.
 */
enum { TAG_TEXT_SIZE = 64, TAG_DIGITS = 32 };

/* Scripts, styles, pictures and requests of the page's own origin; no frames, forms, plugins or
 * other bases. Nothing inline either, so that a text which gets into a page stays text. The one
 * exception is the style that the build has put into the page, allowed by its hash. */
#define POLICY                                                                          \
    "default-src 'none'; script-src 'self'; style-src 'self'%s%s; connect-src 'self'; " \
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct {
    const char *ending;
    const char *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".webmanifest", "application/manifest+json"},
};

/* NULL when it is none of a page's. */
static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(dot, TYPES[i].ending) == 0) {
            return TYPES[i].type;
        }
    }
    return NULL;
}

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
}

/* The file that a request's name stands for; false when it can be none. */
static bool file_name(struct http_text text, char ret_name[static PAGE_NAME_MAX])
{
    bool has_dot = false;
    if (text.len == 0) {
        (void)snprintf(ret_name, PAGE_NAME_MAX, "index.html");
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_name_char(text.data[i])) {
            return false;
        }
        has_dot = has_dot || text.data[i] == '.';
    }
    const int len = snprintf(ret_name, PAGE_NAME_MAX, "%.*s%s", (int)text.len, text.data,
                             has_dot ? "" : ".html");
    return ret_name[0] != '.' && len > 0 && len < PAGE_NAME_MAX;
}

static const struct page_data *find(const struct pages *p, const char *name)
{
    for (const struct page_data *file = p->files; file != NULL && file->name != NULL; file++) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

static bool has_folder(const struct pages *p)
{
    return p->files != NULL && p->folder != NULL && p->folder[0] != '\0';
}

/* ---- The folder ---- */

/* A descriptor of the file, whose size is within bounds; -1. */
static int open_file(const char *folder, const char *name, size_t *ret_size)
{
    const int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return -1;
    }
    const int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    (void)close(dir);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
                    st.st_size > PAGE_FILE_BYTES_MAX)) {
        (void)close(fd);
        return -1;
    }
    *ret_size = fd >= 0 ? (size_t)st.st_size : 0;
    return fd;
}

/* Reads a file of the folder. RC_NOT_FOUND for whatever cannot be read as one. */
static enum rc read_file(const char *folder, const char *name, struct buf *ret_bytes)
{
    size_t size = 0;
    uint8_t *room = NULL;
    const int fd = open_file(folder, name, &size);
    if (fd < 0) {
        return RC_NOT_FOUND;
    }
    enum rc rc = buf_reserve(ret_bytes, size + 1, &room);
    while (rc == RC_OK && ret_bytes->len < size) {
        const ssize_t len = read(fd, room + ret_bytes->len, size - ret_bytes->len);
        if (len <= 0) {
            break; /* an editor is just writing it: show what is there */
        }
        buf_commit(ret_bytes, (size_t)len);
    }
    (void)close(fd);
    return rc;
}

/* ---- Answers ---- */

static void add_policy(const char *style, struct http_response *rs)
{
    http_add(rs, "Content-Security-Policy", POLICY, style == NULL ? "" : " ",
             style == NULL ? "" : style);
    http_add(rs, "X-Content-Type-Options", "nosniff");
    http_add(rs, "Referrer-Policy", "no-referrer");
    http_add(rs, "Cross-Origin-Opener-Policy", "same-origin");
}

/* RFC 9110 section 13.1.2: compared weakly, for proxies that compress make strong tags weak. */
static bool is_held(const struct http_request *rq, const char *tag)
{
    char weak[TAG_TEXT_SIZE + 2];
    (void)snprintf(weak, sizeof(weak), "W/%s", tag);
    return http_lists(rq, "If-None-Match", tag) || http_lists(rq, "If-None-Match", weak) ||
           http_lists(rq, "If-None-Match", "*");
}

struct content {
    const uint8_t *data;
    size_t len;
    const char *tag;   /* without quotes */
    const char *style; /* inside a page; NULL: none */
    bool is_packed;
    bool has_packed; /* which form is sent depends on Accept-Encoding */
};

/* Names do not change with the content, so a browser asks each time whether it has the newest. */
static void answer_content(const struct http_request *rq, const char *name,
                           const struct content *content, struct http_response *rs)
{
    char tag[TAG_TEXT_SIZE];
    (void)snprintf(tag, sizeof(tag), "\"%.*s%s\"", TAG_DIGITS, content->tag,
                   content->is_packed ? "-gz" : "");
    add_policy(content->style, rs);
    http_add(rs, "ETag", "%s", tag);
    http_add(rs, "Cache-Control", "no-cache");
    if (content->has_packed) {
        http_add(rs, "Vary", "Accept-Encoding");
    }
    if (is_held(rq, tag)) {
        rs->status = 304;
        rs->kind = HTTP_BODY_BYTES;
        return;
    }
    http_set_body(rs, 200, type_of(name), content->data, content->len);
    if (content->is_packed && rs->status == 200) {
        http_add(rs, "Content-Encoding", "gzip");
    }
}

static void answer_embedded(const struct http_request *rq, const struct page_data *file,
                            struct http_response *rs)
{
    /* "gzip;q=0" is no "gzip"; a client that gives it a weight gets the plain form. */
    const bool is_packed = file->packed != NULL && http_lists(rq, "Accept-Encoding", "gzip");
    const struct content content = {.data = is_packed ? file->packed : file->data,
                                    .len = is_packed ? file->packed_len : file->len,
                                    .tag = file->tag,
                                    .style = file->style,
                                    .is_packed = is_packed,
                                    .has_packed = file->packed != NULL};
    answer_content(rq, file->name, &content, rs);
}

static void answer_none(struct http_response *rs)
{
    http_problem(rs, 404, "not_found", "There is no such page on this node.");
}

static void answer_from_folder(const struct pages *p, const struct http_request *rq,
                               const char *name, struct http_response *rs)
{
    struct buf bytes;
    buf_init(&bytes, PAGE_FILE_BYTES_MAX + 1);
    if (type_of(name) == NULL || read_file(p->folder, name, &bytes) != RC_OK) {
        answer_none(rs);
    } else {
        char tag[TAG_DIGITS + 1];
        const XXH128_hash_t hash = XXH3_128bits(buf_data(&bytes), bytes.len);
        (void)snprintf(tag, sizeof(tag), "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
        const struct content content = {.data = buf_data(&bytes), .len = bytes.len, .tag = tag};
        answer_content(rq, name, &content, rs);
    }
    buf_fini(&bytes);
}

bool pages_has_index(const struct pages *p)
{
    return has_folder(p) || find(p, "index.html") != NULL;
}

void pages_redirect(struct http_response *rs)
{
    rs->status = 302;
    rs->kind = HTTP_BODY_BYTES;
    http_add(rs, "Location", "fade/");
    http_add(rs, "Cache-Control", "no-store");
}

void pages_answer(const struct pages *p, const struct http_request *rq, struct http_text name,
                  struct http_response *rs)
{
    char file[PAGE_NAME_MAX];
    if (name.data == NULL) {
        pages_redirect(rs);
    } else if (!file_name(name, file)) {
        answer_none(rs);
    } else if (has_folder(p)) {
        answer_from_folder(p, rq, file, rs);
    } else {
        const struct page_data *embedded = find(p, file);
        if (embedded == NULL) {
            answer_none(rs);
        } else {
            answer_embedded(rq, embedded, rs);
        }
    }
}
