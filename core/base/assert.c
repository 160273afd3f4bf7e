#include "core/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_fail(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "repram: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
