/* A line of an export: any bytes. What is read is written, and read back as the same. */
#include "cmd/client/export_line.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct export_line *line)
{
    struct buf out;
    struct export_line again;
    char *value = mem_new(BASE64_TEXT_MAX(line->value_len) + 1, 1);
    buf_init(&out, EXPORT_LINE_MAX);
    value[base64_encode(line->value, line->value_len, value)] = '\0';
    ASSERT(export_line_write(&out, line, value) == RC_OK);
    ASSERT(export_line_read((const char *)buf_data(&out), out.len - 1, &again) == NULL);
    ASSERT(again.key_len == line->key_len && memcmp(again.key, line->key, line->key_len) == 0);
    ASSERT(again.value_len == line->value_len &&
           (line->value_len == 0 || memcmp(again.value, line->value, line->value_len) == 0));
    ASSERT(again.expires_ms == line->expires_ms && again.created_ms == line->created_ms);
    export_line_fini(&again);
    buf_fini(&out);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct export_line line;
    const char *wrong = export_line_read((const char *)data, size, &line);
    ASSERT(wrong == NULL || wrong[0] != '\0');
    if (wrong == NULL && !line.is_head) {
        ASSERT(line.key_len > 0 && line.key_len <= KEY_BYTES_MAX);
        ASSERT(memchr(line.key, '\0', line.key_len) == NULL);
        write_and_read(&line);
    }
    export_line_fini(&line);
    return 0;
}
