#include "tests/node/model/mind.h"

#include "base/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stored_observation record_make(size_t i, const char *text)
{
    struct stored_observation o = {.row = (int64_t)i,
                                   .time_ms = 1772438400000 + (int64_t)i * MS_MINUTE,
                                   .end_ms = TIME_NONE,
                                   .offset_min = 60,
                                   .source = BYTES_LIT("note"),
                                   .text = bytes_str(text)};
    o.key[0] = (uint8_t)i;
    return o;
}

static void replace_all(struct buf *b, const char *what, const char *with)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    struct bytes rest = buf_view(b);
    for (size_t at; (at = bytes_find(rest, bytes_str(what))) != SIZE_MAX;) {
        (void)buf_bytes(&out, bytes_slice(rest, 0, at));
        (void)buf_str(&out, with);
        rest = bytes_slice(rest, at + strlen(what), SIZE_MAX);
    }
    (void)buf_bytes(&out, rest);
    CHECK(out.err == 0);
    buf_release(b);
    *b = out;
}

static void fences_fill(struct buf *line, const struct prompt *p)
{
    char upper[PROMPT_FENCE + 1], head[PROMPT_FENCE + 1];
    for (size_t i = 0; i <= PROMPT_FENCE; i++)
        upper[i] = (char)toupper((unsigned char)p->fence[i]);
    memcpy(head, p->fence, sizeof head);
    head[PROMPT_FENCE / 2] = '\0';
    replace_all(line, "{FENCE}", p->fence);
    replace_all(line, "{FENCE_UPPER}", upper);
    replace_all(line, "{FENCE_HEAD}", head);
    replace_all(line, "{FENCE_TAIL}", p->fence + PROMPT_FENCE / 2);
}

size_t injection_each(const char *name, const struct prompt *p, const char *member,
                      void (*fn)(void *ctx, const char *title, const cJSON *value), void *ctx)
{
    char path[512], *text = NULL;
    size_t room = 0, n = 0;
    (void)snprintf(path, sizeof path, "%s/injection/%s", TEST_DATA, name);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    for (ssize_t got; (got = getline(&text, &room, f)) > 0; n++) {
        struct buf line;
        buf_init(&line, 1u << 20);
        (void)buf_append(&line, text, (size_t)got);
        fences_fill(&line, p);
        cJSON *doc = cJSON_ParseWithLength((const char *)line.p, line.n);
        CHECK(doc != NULL);
        fn(ctx, cJSON_GetStringValue(cJSON_GetObjectItem(doc, "name")), cJSON_GetObjectItem(doc, member));
        cJSON_Delete(doc);
        buf_release(&line);
    }
    free(text);
    (void)fclose(f);
    return n;
}

size_t fences_in(const struct prompt *p, struct bytes text)
{
    size_t n = 0;
    for (size_t at; (at = bytes_ifind(text, bytes_of(p->fence, PROMPT_FENCE))) != SIZE_MAX; n++)
        text = bytes_slice(text, at + 1, SIZE_MAX);
    return n;
}

struct bytes quoted(struct buf *out, const char *text)
{
    buf_clear(out);
    for (; *text != '\0'; text++)
        (void)buf_put(out, *text == '\'' ? '"' : (uint8_t)*text);
    return buf_view(out);
}
