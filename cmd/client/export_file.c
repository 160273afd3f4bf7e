#include "cmd/client/export_file.h"

#include "cmd/client/export_line.h"
#include "cmd/client/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc fail(struct export_file *f, enum rc rc, const char *why)
{
    (void)snprintf(f->problem, sizeof(f->problem), "%.120s: %.120s", f->name, why);
    return rc;
}

/* The key of the last entry. */
static enum rc take_last(struct export_file *f, const struct buf *last)
{
    struct export_line line;
    const char *wrong = export_line_read((const char *)buf_data(last), last->len, &line);
    f->after_len = line.key_len;
    memcpy(f->after, line.key, line.key_len);
    export_line_fini(&line);
    return wrong == NULL ? RC_OK : RC_MALFORMED;
}

/* The first line is a head; one that was cut is the beginning of one, as all of it would be cut off
 * else, and it is something else. */
static enum rc take_first(struct export_file *f, const char *text, size_t len, bool is_cut)
{
    static const char HEAD[] = "{\"version\":";
    struct export_line line;
    if (is_cut) {
        return memcmp(text, HEAD, len < sizeof(HEAD) ? len : sizeof(HEAD) - 1) == 0 ? RC_OK
                                                                                    : RC_MALFORMED;
    }
    const char *wrong = export_line_read(text, len, &line);
    f->has_head = wrong == NULL && line.is_head;
    export_line_fini(&line);
    return f->has_head ? RC_OK : RC_MALFORMED;
}

/* A head may stand in the middle, where a file was appended to another. */
static bool is_head(const char *text, size_t len)
{
    static const char NAME[] = "\"exported_at\"";
    struct export_line line;
    if (memmem(text, len, NAME, sizeof(NAME) - 1) == NULL) {
        return false;
    }
    const char *wrong = export_line_read(text, len, &line);
    const bool is_one = wrong == NULL && line.is_head;
    export_line_fini(&line);
    return is_one;
}

/* Where the last whole line ends. Of the lines between the last entry's is read. */
static enum rc find_end(struct export_file *f, struct line_reader *r, off_t *ret_end)
{
    const char *text = NULL;
    size_t len = 0;
    struct buf last;
    bool has_entry = false;
    enum rc rc = RC_OK;
    buf_init(&last, EXPORT_LINE_MAX);
    *ret_end = 0;
    while (rc == RC_OK && !r->is_cut && (rc = line_reader_next(r, &text, &len)) == RC_OK) {
        *ret_end += r->is_cut ? 0 : (off_t)len + 1;
        if (r->number == 1) {
            rc = take_first(f, text, len, r->is_cut);
        } else if (!r->is_cut && !is_head(text, len)) {
            buf_clear(&last);
            rc = buf_append(&last, text, len);
            has_entry = true;
        }
    }
    rc = rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = rc == RC_OK && has_entry ? take_last(f, &last) : rc;
    buf_fini(&last);
    return rc;
}

static enum rc resume(struct export_file *f, int fd)
{
    struct line_reader r;
    off_t end = 0;
    line_reader_init(&r, fd, EXPORT_LINE_MAX);
    const enum rc rc = find_end(f, &r, &end);
    line_reader_fini(&r);
    if (rc == RC_MALFORMED || rc == RC_TOO_LONG) {
        return fail(f, RC_MALFORMED, "it is no export that could be gone on with");
    }
    if (rc != RC_OK || ftruncate(fd, end) != 0 || lseek(fd, end, SEEK_SET) != end) {
        return fail(f, rc != RC_OK ? rc : RC_IO,
                    rc == RC_NO_MEMORY ? rc_text(rc) : strerror(errno));
    }
    return RC_OK;
}

enum rc export_file_open(struct export_file *f, const char *path, bool resumes)
{
    *f = (struct export_file){.name = path != NULL ? path : "-"};
    if (strcmp(f->name, "-") == 0) {
        f->out = stdout;
        f->name = "standard output";
        f->is_stdout = true;
        return RC_OK;
    }
    const int fd = open(f->name, O_RDWR | O_CREAT | O_CLOEXEC | (resumes ? 0 : O_TRUNC), 0666);
    if (fd < 0) {
        return fail(f, RC_IO, strerror(errno));
    }
    enum rc rc = resumes ? resume(f, fd) : RC_OK;
    f->out = rc == RC_OK ? fdopen(fd, "w") : NULL;
    if (f->out == NULL) {
        rc = rc == RC_OK ? fail(f, RC_NO_MEMORY, strerror(errno)) : rc;
        (void)close(fd);
    }
    return rc;
}

enum rc export_file_write(struct export_file *f, const void *data, size_t len)
{
    if (fwrite(data, 1, len, f->out) == len && fflush(f->out) == 0) {
        return RC_OK;
    }
    return fail(f, RC_IO, strerror(errno));
}

enum rc export_file_close(struct export_file *f)
{
    const int failed = f->is_stdout ? fflush(f->out) : fclose(f->out);
    return failed == 0 ? RC_OK : fail(f, RC_IO, strerror(errno));
}
