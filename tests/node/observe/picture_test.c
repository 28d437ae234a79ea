/* Picture files: four formats, what is left of them, and what is refused. */
#include "node/observe/picture.h"

#include "node/file.h"
#include "node/observe/picture_time.h"
#include "node/screen.h"
#include "tests/node/observe/pictures.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef void make_fn(const struct picture_spec *s, struct buf *out);
static make_fn *const makers[] = {picture_png, picture_jpeg, picture_webp, picture_gif};
static const char *const types[] = {"image/png", "image/jpeg", "image/webp", "image/gif"};
#define FORMATS 4

static struct buf file, left;
static struct picture p;
static struct err e;

static int setup(void **state)
{
    (void)state;
    buf_init(&file, 2 * PICTURE_BYTES_MAX);
    buf_init(&left, PICTURE_BYTES_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&file);
    buf_release(&left);
    return 0;
}

static int read_file(struct bytes b)
{
    buf_clear(&left);
    e = ERR_INIT;
    return picture_read(b, &p, &left, &e);
}

static int read_made(size_t format, struct picture_spec s)
{
    buf_clear(&file);
    makers[format](&s, &file);
    assert_int_equal(file.err, 0);
    return read_file(buf_view(&file));
}

static void four_formats_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        assert_int_equal(read_made(i, (struct picture_spec){.width = 1920, .height = 1080}), 0);
        assert_string_equal(p.type, types[i]);
        assert_int_equal(p.width, 1920);
        assert_int_equal(p.height, 1080);
        assert_int_equal(strlen(p.id), PICTURE_ID_BYTES);
    }
}

static void what_is_not_the_picture_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        char plain[PICTURE_ID_BYTES + 1];
        assert_int_equal(read_made(i, (struct picture_spec){0}), 0);
        memcpy(plain, p.id, sizeof plain);
        assert_int_equal(
            read_made(i, (struct picture_spec){.extra = "at home in Lisbon", .behind = "a film"}), 0);
        assert_true(bytes_find(buf_view(&file), BYTES_LIT("Lisbon")) != SIZE_MAX);
        assert_true(bytes_find(buf_view(&left), BYTES_LIT("Lisbon")) == SIZE_MAX);
        assert_true(bytes_find(buf_view(&left), BYTES_LIT("film")) == SIZE_MAX);
        assert_true(bytes_find(buf_view(&left), BYTES_LIT("pixels")) != SIZE_MAX);
        assert_string_equal(p.id, plain);
    }
}

static void other_pixels_are_another_picture(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        char plain[PICTURE_ID_BYTES + 1];
        assert_int_equal(read_made(i, (struct picture_spec){0}), 0);
        memcpy(plain, p.id, sizeof plain);
        assert_int_equal(read_made(i, (struct picture_spec){.pixels = "pixelz"}), 0);
        assert_string_not_equal(p.id, plain);
    }
}

static void what_is_left_is_a_picture_of_which_all_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        struct buf again;
        char id[PICTURE_ID_BYTES + 1];
        assert_int_equal(read_made(i, (struct picture_spec){.extra = "x"}), 0);
        memcpy(id, p.id, sizeof id);
        buf_init(&again, PICTURE_BYTES_MAX);
        assert_int_equal(picture_read(buf_view(&left), &p, &again, &e), 0);
        assert_true(bytes_eq(buf_view(&left), buf_view(&again)));
        assert_string_equal(p.id, id);
        buf_release(&again);
    }
}

static void a_file_cut_anywhere_is_refused_and_said_to_be_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        assert_int_equal(read_made(i, (struct picture_spec){0}), 0);
        struct bytes whole = buf_view(&file);
        for (size_t n = 0; n < whole.n; n++) {
            if (i == 3 && n == whole.n - 1)
                continue; /* the first picture of a GIF is whole without the end mark */
            assert_int_equal(read_file(bytes_slice(whole, 0, n)), ERR_FORMAT);
            assert_true(p.cut);
        }
    }
}

static void one_damaged_byte_does_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        assert_int_equal(read_made(i, (struct picture_spec){.extra = "x"}), 0);
        for (size_t at = 0; at < file.n; at++) {
            uint8_t was = file.p[at];
            for (unsigned bit = 0; bit < 8; bit++) {
                file.p[at] = (uint8_t)(was ^ 1u << bit);
                int rc = read_file(buf_view(&file));
                assert_true(rc == 0 || rc == ERR_FORMAT || rc == ERR_LIMIT);
                assert_true(rc != 0 || (p.width > 0 && p.height > 0 && left.n <= file.n + 1));
            }
            file.p[at] = was;
        }
    }
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    static const struct picture_spec large[] = {
        {.width = PICTURE_SIDE_MAX + 1}, {.height = PICTURE_SIDE_MAX + 1}, {.width = 10001, .height = 10000}};
    for (size_t i = 0; i < FORMATS; i++) {
        for (size_t k = 0; k < 3; k++) {
            if (i == 2 && k < 2)
                continue; /* WebP's own bound is that side */
            assert_int_equal(read_made(i, large[k]), ERR_LIMIT);
            assert_non_null(strstr(e.text, "pixels"));
        }
        assert_int_equal(read_made(i, (struct picture_spec){.width = 10000, .height = 10000}), 0);
    }
    assert_int_equal(
        read_file(BYTES_LIT("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x02\0\0\0"
                            "crc.")),
        ERR_LIMIT);
}

static void files_are_bounded(void **state)
{
    (void)state;
    buf_clear(&file);
    picture_png(&(struct picture_spec){0}, &file);
    size_t n = file.n;
    assert_non_null(buf_extend(&file, PICTURE_BYTES_MAX - n));
    assert_int_equal(read_file(buf_view(&file)), 0);
    assert_int_equal(buf_put(&file, 0), 0);
    assert_int_equal(read_file(buf_view(&file)), ERR_LIMIT);
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {"<svg xmlns='http://www.w3.org/2000/svg'/>",
                                         "%PDF-1.7 and so on and on",
                                         "BM and a bitmap behind it",
                                         "RIFF\x10\0\0\0WAVEfmt it sings",
                                         "GIF88a but no such version",
                                         "\xff\xd8 and no marker behind it"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(read_file(bytes_of(others[i], i == 3 ? 20 : strlen(others[i]))), ERR_FORMAT);
        assert_false(p.cut);
        assert_string_equal(e.text, "not a PNG, JPEG, WebP or GIF picture");
    }
}

static void pictures_without_pixels_or_with_two_heads_are_refused(void **state)
{
    (void)state;
    static const struct bytes hostile[] = {
        /* no IDAT */
        BYTES_LIT("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0crc.\0\0\0\0IENDcrc."),
        /* IHDR twice */
        BYTES_LIT("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0crc."
                  "\0\0\0\x0dIHDR\0\0\0\2\0\0\0\2\x08\x02\0\0\0crc."),
        /* no width */
        BYTES_LIT("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\1\x08\x02\0\0\0crc."),
        /* a part that every reader must know */
        BYTES_LIT("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0crc.\0\0\0\0XXXXcrc."),
        /* a scan without a frame */
        BYTES_LIT("\xff\xd8\xff\xda\0\x04??\xff\xd9"),
        /* an end without a scan */
        BYTES_LIT("\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xd9"),
        /* two frames */
        BYTES_LIT("\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xc0\0\x0b\x08\0\2\0\2\1\1\x11\0\xff\xd9"),
        /* a length that does not hold itself */
        BYTES_LIT("\xff\xd8\xff\xe0\0\1\xff\xd9\xff\xd9"),
        BYTES_LIT("RIFF\x04\0\0\0WEBP"),
        BYTES_LIT("RIFF\0\0\0\0WEBP"),
        BYTES_LIT("GIF89a\1\0\1\0\0\0\0\x3b"),
        /* a picture larger than the whole */
        BYTES_LIT("GIF89a\1\0\1\0\0\0\0\x2c\0\0\0\0\2\0\2\0\0\2\1x\0\x3b"),
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        assert_int_equal(read_file(hostile[i]), ERR_FORMAT);
        assert_false(p.cut);
    }
}

static void only_regular_files_are_loaded(void **state)
{
    (void)state;
    struct tmp_dir dir;
    struct buf scratch;
    char path[TMP_PATH_BYTES];
    tmp_dir_make(&dir);
    buf_init(&scratch, PICTURE_SCRATCH_MAX);
    assert_int_equal(picture_load(dir.path, &scratch, &p, &left, &e), ERR_FORMAT);
    assert_int_equal(picture_load(tmp_path(&dir, "none.png", path), &scratch, &p, &left, &e), ERR_NOTFOUND);
    assert_int_equal(mkfifo(tmp_path(&dir, "pipe.png", path), 0600), 0);
    assert_int_equal(picture_load(path, &scratch, &p, &left, &e), ERR_FORMAT);
    buf_clear(&file);
    picture_gif(&(struct picture_spec){0}, &file);
    picture_write(tmp_path(&dir, "a.png", path), buf_view(&file));
    buf_clear(&left);
    assert_int_equal(picture_load(path, &scratch, &p, &left, &e), 0);
    assert_string_equal(p.type, "image/gif");
    buf_release(&scratch);
    tmp_dir_remove(&dir);
}

static void names_of_pictures_are_known(void **state)
{
    (void)state;
    static const char *const yes[] = {"a.png", "B.JPG", "c.jpeg", "d.webp", "e e.GIF"};
    static const char *const no[] = {".png", ".hidden.png", "a.png.part", "png", "a.svg", ""};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(picture_named(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(picture_named(no[i]));
}

static int16_t two_hours(void *ctx, int64_t ms)
{
    (void)ctx;
    (void)ms;
    return 120;
}

static void a_whole_date_and_time_in_a_name_is_the_time(void **state)
{
    (void)state;
    const struct observer_env env = {.zone_offset = two_hours};
    static const char *const same[] = {
        "Screenshot from 2026-11-24 21-52-31.png",   "IMG_20261124_215231.jpg",
        "Screenshot_2026-11-24-21-52-31.png",        "Screenshot_20261124-215231_App.jpg",
        "Bildschirmfoto 2026-11-24 um 21.52.31.png", "12 2026.11.24T21:52:31"};
    static const char *const none[] = {"",
                                       "picture.png",
                                       "2026-11-24.png",
                                       "20261324_215231.png",
                                       "20260230_215231.png",
                                       "20261124_255231.png",
                                       "20261124_2152.png",
                                       "PXL_20261124_215231123.jpg",
                                       "120261124_215231.png",
                                       "20261124 or so 215231.png",
                                       "10661124_215231.png"};
    int64_t wanted = 0;
    assert_int_equal(rfc3339_parse(BYTES_LIT("2026-11-24T21:52:31+02:00"), &wanted, NULL), 0);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_int_equal(picture_name_time(same[i], &env), wanted);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_true(picture_name_time(none[i], &env) == TIME_NONE);
}

static void the_page_has_the_bounds_of_the_code(void **state)
{
    (void)state;
    struct buf page;
    const struct {
        const char *name;
        unsigned value;
    } bounds[] = {{"PICTURE_BYTES_MAX", PICTURE_BYTES_MAX},
                  {"PICTURE_SIDE_MAX", PICTURE_SIDE_MAX},
                  {"PICTURE_PIXELS_MAX", PICTURE_PIXELS_MAX},
                  {"SCREEN_EVERY_MS_MIN", SCREEN_EVERY_MS_MIN},
                  {"SCREEN_COMMAND_MS", SCREEN_COMMAND_MS}};
    buf_init(&page, 1u << 20);
    assert_int_equal(file_read(TEST_SOURCE "/node/observe/IMAGES.md", &page, &e), 0);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        char row[128];
        (void)snprintf(row, sizeof row, "| `%s` | %u |", bounds[i].name, bounds[i].value);
        assert_true(bytes_find(buf_view(&page), bytes_str(row)) != SIZE_MAX);
    }
    buf_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_formats_are_known_by_their_first_bytes),
        cmocka_unit_test(what_is_not_the_picture_is_left_out),
        cmocka_unit_test(other_pixels_are_another_picture),
        cmocka_unit_test(what_is_left_is_a_picture_of_which_all_is_left),
        cmocka_unit_test(a_file_cut_anywhere_is_refused_and_said_to_be_cut),
        cmocka_unit_test(one_damaged_byte_does_no_harm),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(files_are_bounded),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(pictures_without_pixels_or_with_two_heads_are_refused),
        cmocka_unit_test(only_regular_files_are_loaded),
        cmocka_unit_test(names_of_pictures_are_known),
        cmocka_unit_test(a_whole_date_and_time_in_a_name_is_the_time),
        cmocka_unit_test(the_page_has_the_bounds_of_the_code),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
