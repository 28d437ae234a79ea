#include "node/infer/pseudonym.h"

#include "base/map.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_HEAD "Person-"
#define TAG_LETTERS 4
#define TAG_BYTES 16 /* with the letter of a part, and NUL */
#define WORDS_MAX 5  /* of one name */
#define PART_LETTERS_MIN 3

struct person {
    char name[PSEUDONYM_NAME_BYTES + 1];
    char tag[TAG_BYTES];
};

struct pseudonyms {
    uint8_t key[KEY_BYTES];
    struct map *by_name, *by_tag; /* → number of the person, from 1 */
    struct person **v;
    size_t n, cap;
};

struct pseudonyms *pseudonyms_new(struct bytes key)
{
    struct pseudonyms *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->by_name = map_new();
    p->by_tag = map_new();
    if (p->by_name == NULL || p->by_tag == NULL || key.n != sizeof(p->key)) {
        pseudonyms_free(p);
        return NULL;
    }
    memcpy(p->key, key.p, sizeof(p->key));
    return p;
}

void pseudonyms_free(struct pseudonyms *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i]);
    }
    free(p->v);
    map_free(p->by_name);
    map_free(p->by_tag);
    mem_wipe(p->key, sizeof(p->key));
    free(p);
}

/* ---- words
 * -------------------------------------------------------------------------------------------------
 */

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

static bool is_address(uint8_t c)
{
    return is_word(c) || c == '.' || c == '-' || c == '+' || c == '%';
}

static bool starts_word(struct bytes t, size_t at)
{
    return at == 0 || !is_word(t.p[at - 1]);
}

static size_t word_end(struct bytes t, size_t at)
{
    while (at < t.n && is_word(t.p[at])) {
        at++;
    }
    return at;
}

/* Where the address that begins here ends; `at`: there is none. *local_end gets the place of its @. */
static size_t address_end(struct bytes t, size_t at, size_t *local_end)
{
    size_t local = at;
    while (local < t.n && local - at < PSEUDONYM_NAME_BYTES && is_address(t.p[local])) {
        local++;
    }
    if (local == at || local >= t.n || t.p[local] != '@') {
        return at;
    }
    size_t end = local + 1;
    bool dot = false;
    while (end < t.n && end - at <= PSEUDONYM_NAME_BYTES &&
           (is_word(t.p[end]) || t.p[end] == '-' || t.p[end] == '.')) {
        dot = dot || (t.p[end] == '.' && end + 1 < t.n && is_word(t.p[end + 1]));
        end++;
    }
    while (end > local && (t.p[end - 1] == '.' || t.p[end - 1] == '-')) {
        end--;
    }
    *local_end = local;
    return dot && end - at <= PSEUDONYM_NAME_BYTES ? end : at;
}

/* Where the @handle that begins here ends; `at`: there is none. */
static size_t handle_end(struct bytes t, size_t at)
{
    size_t end = at + 1;
    while (end < t.n && end - at <= PSEUDONYM_NAME_BYTES &&
           (is_word(t.p[end]) || (t.p[end] == '-' && end + 1 < t.n && is_word(t.p[end + 1])))) {
        end++;
    }
    return t.p[at] == '@' && end - at >= 3 && end - at <= PSEUDONYM_NAME_BYTES ? end : at;
}

/* ---- knowing names
 * -----------------------------------------------------------------------------------------
 */

static bool is_name(struct bytes name)
{
    size_t letters = 0;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        letters += is_word(c) && !(c >= '0' && c <= '9');
        if (!is_word(c) && strchr(" .-'@+%", c) == NULL) {
            return false;
        }
    }
    return letters >= 2 && name.n <= PSEUDONYM_NAME_BYTES && utf8_valid(name);
}

/* The tag of a name; another one when that is somebody else's. */
static void tag_make(const struct pseudonyms *p, struct bytes name, char out[TAG_BYTES])
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz"; /* no vowels: no words */
    for (uint8_t round = 0;; round++) {
        uint8_t hash[32];
        struct hasher h;
        hasher_init(&h, bytes_of(p->key, sizeof(p->key)), 32);
        hasher_update(&h, BYTES_LIT("selfsame pseudonym 1"));
        hasher_update(&h, bytes_of(&round, 1));
        hasher_update(&h, name);
        hasher_final(&h, hash, sizeof(hash));
        (void)snprintf(out, TAG_BYTES, TAG_HEAD);
        char *to = out + strlen(TAG_HEAD);
        for (size_t i = 0; i < TAG_LETTERS; i++) {
            *to++ = letters[((unsigned)hash[2 * i] << 8 | hash[2 * i + 1]) % (sizeof(letters) - 1)];
        }
        *to = '\0';
        if (map_find(p->by_tag, bytes_str(out)) == NULL || round == UINT8_MAX) {
            return;
        }
    }
}

static int person_add(struct pseudonyms *p, struct bytes name, const char *tag)
{
    bool fresh = false;
    if (p->n == PSEUDONYMS_MAX) {
        return ERR_LIMIT;
    }
    if (p->n == p->cap) {
        size_t cap = p->cap == 0 ? 16 : p->cap * 2;
        struct person **v = realloc(p->v, cap * sizeof(struct person *));
        if (v == NULL) {
            return ERR_NOMEM;
        }
        p->v = v;
        p->cap = cap;
    }
    struct person *one = calloc(1, sizeof(*one));
    if (one == NULL) {
        return ERR_NOMEM;
    }
    memcpy(one->name, name.p, name.n);
    (void)snprintf(one->tag, sizeof(one->tag), "%s", tag);
    p->v[p->n++] = one;
    struct map_slot *by_name = map_add(p->by_name, name, &fresh);
    if (by_name == NULL) {
        return ERR_NOMEM;
    }
    by_name->v.num = p->n;
    struct map_slot *by_tag = map_add(p->by_tag, bytes_str(one->tag), &fresh);
    if (by_tag == NULL) {
        return ERR_NOMEM;
    }
    by_tag->v.num = fresh ? p->n : by_tag->v.num;
    return 0;
}

/* The parts of a name: "Person-bcdf-a" for the first. */
static int parts_add(struct pseudonyms *p, struct bytes name, const char *tag)
{
    char part = 'a';
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < name.n && part <= 'f'; at++) {
        size_t end = word_end(name, at);
        struct bytes word = bytes_slice(name, at, end - at);
        if (word.n < PART_LETTERS_MIN || word.n == name.n) {
            at = end;
            continue;
        }
        if (map_find(p->by_name, word) == NULL) {
            char one[TAG_BYTES];
            (void)snprintf(one, sizeof(one), "%.11s-%c", tag, part);
            rc = person_add(p, word, one);
        }
        part++;
        at = end;
    }
    return rc;
}

static int whole_add(struct pseudonyms *p, struct bytes name, bool parts)
{
    char tag[TAG_BYTES];
    if (!is_name(name) || map_find(p->by_name, name) != NULL) {
        return 0;
    }
    tag_make(p, name, tag);
    int rc = person_add(p, name, tag);
    return rc == 0 && parts ? parts_add(p, name, tag) : rc;
}

int pseudonyms_add(struct pseudonyms *p, struct bytes name)
{
    name = bytes_trim(name);
    return name.n >= PART_LETTERS_MIN ? whole_add(p, name, true) : 0;
}

/* ---- finding names in a text
 * -------------------------------------------------------------------------------
 */

static bool is_role(struct bytes local)
{
    static const char *const roles[] = {"info",    "admin",   "noreply", "no-reply", "support", "mail",
                                        "contact", "hello",   "team",    "office",   "sales",   "root",
                                        "news",    "billing", "service", "help",     "git",     "postmaster"};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (bytes_ieq(local, bytes_str(roles[i]))) {
            return true;
        }
    }
    return false;
}

/* "anna.schmidt" → also "Anna Schmidt". */
static int local_add(struct pseudonyms *p, struct bytes local)
{
    char name[PSEUDONYM_NAME_BYTES + 1];
    if (local.n < PART_LETTERS_MIN || local.n > PSEUDONYM_NAME_BYTES || is_role(local)) {
        return 0;
    }
    int rc = whole_add(p, local, false);
    if (rc != 0 || memchr(local.p, '.', local.n) == NULL) {
        return rc;
    }
    for (size_t i = 0; i < local.n; i++) {
        uint8_t c = local.p[i] == '.' ? ' ' : local.p[i];
        bool first = (i == 0 || local.p[i - 1] == '.') && c >= 'a' && c <= 'z';
        name[i] = (char)(first ? c - 'a' + 'A' : c);
    }
    return pseudonyms_add(p, bytes_of(name, local.n));
}

static bool is_capital(struct bytes t, size_t at)
{
    return at < t.n && ((t.p[at] >= 'A' && t.p[at] <= 'Z') || t.p[at] >= 0x80);
}

/* "Anna Schmidt <": the words with a capital in front of the bracket at `at`. */
static int display_add(struct pseudonyms *p, struct bytes t, size_t at)
{
    size_t end = at;
    while (end > 0 && (t.p[end - 1] == ' ' || t.p[end - 1] == '"')) {
        end--;
    }
    size_t from = end;
    size_t word = end;
    for (size_t words = 0; words < WORDS_MAX && word > 0; words++) {
        size_t start = word;
        while (start > 0 && (is_word(t.p[start - 1]) || (t.p[start - 1] == '.' && start < word) ||
                             t.p[start - 1] == '-' || t.p[start - 1] == '\'')) {
            start--;
        }
        if (start == word || !is_capital(t, start)) {
            break;
        }
        from = start;
        word = start > 0 && t.p[start - 1] == ' ' ? start - 1 : 0;
    }
    return end - from >= PART_LETTERS_MIN ? pseudonyms_add(p, bytes_slice(t, from, end - from)) : 0;
}

static int collect(struct pseudonyms *p, struct bytes t)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < t.n; at++) {
        size_t local = 0;
        if (!starts_word(t, at)) {
            continue;
        }
        size_t end = is_address(t.p[at]) ? address_end(t, at, &local) : at;
        if (end > at) {
            rc = whole_add(p, bytes_slice(t, at, end - at), false);
            rc = rc != 0 ? rc : local_add(p, bytes_slice(t, at, local - at));
            rc = rc != 0 || at == 0 || t.p[at - 1] != '<' ? rc : display_add(p, t, at - 1);
            at = end - 1;
            continue;
        }
        end = handle_end(t, at);
        if (end > at) {
            rc = whole_add(p, bytes_slice(t, at, end - at), false);
            rc = rc != 0 ? rc : local_add(p, bytes_slice(t, at + 1, end - at - 1));
            at = end - 1;
        } else if (is_word(t.p[at])) {
            /* Not again at each letter of it, which would take the square of its length. */
            at = word_end(t, at) - 1;
        }
    }
    return rc;
}

/* ---- replacing
 * ---------------------------------------------------------------------------------------------
 */

/* The longest known name that begins here; NULL: none. */
static const struct person *known_at(const struct pseudonyms *p, struct bytes t, size_t at, size_t *end)
{
    const struct map_slot *best = NULL;
    size_t local = 0;
    size_t to = address_end(t, at, &local);
    to = to > at ? to : handle_end(t, at);
    if (to > at) {
        best = map_find(p->by_name, bytes_slice(t, at, to - at));
        *end = to;
    }
    to = at;
    for (size_t words = 0; best == NULL || words > 0; words++) {
        size_t next = word_end(t, to);
        if (words == WORDS_MAX || next == to || next - at > PSEUDONYM_NAME_BYTES) {
            break;
        }
        const struct map_slot *s = map_find(p->by_name, bytes_slice(t, at, next - at));
        if (s != NULL) {
            best = s;
            *end = next;
        }
        to = next + 1; /* behind what parts the words */
        if (next >= t.n || strchr(" .-'", t.p[next]) == NULL || t.p[next] == '\0') {
            break;
        }
        if (t.p[next] == '.' && next + 1 < t.n && t.p[next + 1] == ' ') {
            to++;
        }
    }
    return best != NULL ? p->v[best->v.num - 1] : NULL;
}

int pseudonyms_hide(struct pseudonyms *p, struct bytes text, struct buf *out)
{
    int rc = collect(p, text);
    if (rc != 0) {
        return rc;
    }
    for (size_t at = 0; at < text.n;) {
        size_t end = at;
        const struct person *one = starts_word(text, at) ? known_at(p, text, at, &end) : NULL;
        if (one != NULL) {
            (void)buf_str(out, one->tag);
            at = end;
        } else {
            (void)buf_put(out, text.p[at++]);
        }
    }
    return out->err;
}

/* Whose tag begins here; the longer one first. */
static const struct person *tag_at(const struct pseudonyms *p, struct bytes text, size_t *n)
{
    size_t whole = strlen(TAG_HEAD) + TAG_LETTERS;
    for (*n = whole + 2; *n >= whole; *n -= 2) {
        const struct map_slot *s = *n <= text.n ? map_find(p->by_tag, bytes_slice(text, 0, *n)) : NULL;
        if (s != NULL) {
            return p->v[s->v.num - 1];
        }
    }
    return NULL;
}

int pseudonyms_show(const struct pseudonyms *p, struct bytes text, struct buf *out)
{
    size_t n = 0;
    while (text.n > 0) {
        const struct person *one = bytes_starts(text, BYTES_LIT(TAG_HEAD)) ? tag_at(p, text, &n) : NULL;
        if (one != NULL) {
            (void)buf_str(out, one->name);
        } else {
            n = 1;
            (void)buf_put(out, text.p[0]);
        }
        text = bytes_slice(text, n, SIZE_MAX);
    }
    return out->err;
}
