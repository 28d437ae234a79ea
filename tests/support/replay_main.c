/* The main of fuzz targets in a normal build: runs the target over the empty input and over every file of the
 * folders named on the command line, each also cut and damaged in ways that depend only on the file. What a
 * fuzzer once found stays in the corpus, and ctest replays it. */
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)16 << 20)
#define DAMAGES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input in memory of exactly its size, so that a sanitizer sees the first byte read past its end. */
static void run(struct bytes input)
{
    uint8_t *copy = malloc(input.n > 0 ? input.n : 1);
    if (!copy)
        abort();
    if (input.n > 0)
        memcpy(copy, input.p, input.n);
    (void)LLVMFuzzerTestOneInput(copy, input.n);
    free(copy);
}

static void run_damaged(struct buf *input)
{
    struct test_rng rng;
    test_rng_init(&rng, input->n);
    for (int i = 0; i < DAMAGES && input->n > 0; i++) {
        size_t at = (size_t)test_rng_below(&rng, input->n);
        uint8_t was = input->p[at];
        input->p[at] = (uint8_t)test_rng_u64(&rng);
        run(buf_view(input));
        input->p[at] = was;
        run(bytes_slice(buf_view(input), 0, at));
    }
}

static void run_file(const char *folder, const char *name)
{
    char path[TMP_PATH_BYTES];
    struct buf input;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        abort();
    buf_init(&input, INPUT_BYTES_MAX);
    tmp_read(path, &input);
    run(buf_view(&input));
    run_damaged(&input);
    buf_release(&input);
}

/* Number of files run; -1 when the folder cannot be read. */
static int run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    if (!dir)
        return -1;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(folder, entry->d_name);
        count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    run(BYTES_NONE);
    for (int i = 1; i < argc; i++) {
        int count = run_folder(argv[i]);
        if (count <= 0) {
            (void)fprintf(stderr, "no corpus in '%s'\n", argv[i]);
            return 1;
        }
        total += count;
    }
    printf("%d inputs\n", total);
    return 0;
}
