#include "core/base/words.h"

#include <string.h>

char *words_next(char **rest, const char *blanks)
{
    char *word = *rest + strspn(*rest, blanks);
    char *end = word + strcspn(word, blanks);
    *rest = end + (*end != '\0');
    *end = '\0';
    return end == word ? NULL : word;
}
