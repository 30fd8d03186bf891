/* test_identity.c: lines of the tokens file, sound and unsound. */
#include "daemon/identity.h"

#include "tests/unit/rows.h"

#define HEX "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static struct accounts *accounts;

struct sound_row {
        const char *name, *text;
        enum credential credential;
        id_t id;
        bool operates, administers;
        const char *account, *policy;
};

static const struct sound_row sound_rows[] = {
        { "a token", "ci: sha256:" HEX ", operate", CREDENTIAL_TOKEN, 0, true, false, "ci", "" },
        { "without blanks", "ci:sha256:" HEX ",operate", CREDENTIAL_TOKEN, 0, true, false, "ci", "" },
        { "blanks everywhere", " \tci : sha256:" HEX " ,\toperate , lab \r", CREDENTIAL_TOKEN, 0, true, false,
                "ci", "lab" },
        { "who looks", "eye: sha256:" HEX ", watch", CREDENTIAL_TOKEN, 0, false, false, "eye", "" },
        { "who looks at all", "eye: sha256:" HEX ", watch admin", CREDENTIAL_TOKEN, 0, false, true, "eye",
                "" },
        { "admin alone", "root: uid:0, admin", CREDENTIAL_UID, 0, true, true, "root", "" },
        { "all roles", "root: uid:0, watch operate admin", CREDENTIAL_UID, 0, true, true, "root", "" },
        { "a group", "lab: gid:4294967294, operate, lab-2.x", CREDENTIAL_GID, 4294967294, true, false, "lab",
                "lab-2.x" },
        { "a certificate", "host-7.lab: certificate, operate", CREDENTIAL_CERTIFICATE, 0, true, false,
                "host-7.lab", "" },
        { "behind comments", "# who\n\n  # and more\nci: uid:7, operate\n", CREDENTIAL_UID, 7, true, false,
                "ci", "" },
};

static void reads_sound_lines(void **state)
{
        const struct sound_row *const row = *state;
        char *const text = strdup(row->text);
        struct identities read = { 0 };
        const char *why = NULL;
        assert_int_equal(identities_read(text, accounts, &read, &why), 0);
        assert_int_equal(read.count, 1);
        const struct identity *const identity = read.items;
        assert_int_equal(identity->credential, row->credential);
        assert_int_equal(identity->id, row->id);
        assert_int_equal(identity->caller.operates, row->operates);
        assert_int_equal(identity->caller.administers, row->administers);
        assert_string_equal(identity->caller.account->name, row->account);
        assert_string_equal(identity->caller.policy, row->policy);
        if (row->credential == CREDENTIAL_TOKEN) {
                assert_int_equal(identity->digest[0], 0x01);
                assert_int_equal(identity->digest[31], 0xef);
        }
        free(read.items);
        free(text);
}

struct unsound_row {
        const char *name, *text;
        size_t line;
};

static const struct unsound_row unsound_rows[] = {
        { "a name alone", "ci", 1 },
        { "no name", ": uid:1, operate", 1 },
        { "a name with a blank", "c i: uid:1, operate", 1 },
        { "a name with a line's end in it", "c\x01: uid:1, operate", 1 },
        { "a name that is too long",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: uid:1, operate", 1 },
        { "no credential", "ci: , operate", 1 },
        { "an unknown credential", "ci: md5:00, operate", 1 },
        { "a short digest", "ci: sha256:00, operate", 1 },
        { "a long digest", "ci: sha256:" HEX "0, operate", 1 },
        { "a digest with another letter",
                "ci: sha256:g123456789abcdef0123456789abcdef0123456789abcdef012345678"
                "9abcdef, operate",
                1 },
        { "a uid that is none", "ci: uid:root, operate", 1 },
        { "a negative uid", "ci: uid:-1, operate", 1 },
        { "the uid of nobody at all", "ci: uid:4294967295, operate", 1 },
        { "a uid beyond", "ci: uid:18446744073709551616, operate", 1 },
        { "an empty uid", "ci: uid:, operate", 1 },
        { "a certificate and more", "ci: certificate:x, operate", 1 },
        { "no roles", "ci: uid:1", 1 },
        { "empty roles", "ci: uid:1, ", 1 },
        { "an unknown role", "ci: uid:1, operate fly", 1 },
        { "an empty policy", "ci: uid:1, operate, ", 1 },
        { "a policy with a comma", "ci: uid:1, operate, a, b", 1 },
        { "the third line", "# one\nci: uid:1, operate\nbad\n", 3 },
};

static void refuses_unsound_lines(void **state)
{
        const struct unsound_row *const row = *state;
        char *const text = strdup(row->text);
        struct identities read = { 0 };
        const char *why = NULL;
        assert_int_equal(identities_read(text, accounts, &read, &why), row->line);
        assert_non_null(why);
        assert_null(read.items);
        free(text);
}

static void one_name_has_several(void **state)
{
        (void)state;
        char text[] = "ci: sha256:" HEX ", operate\nci: uid:5, watch\n";
        struct identities read = { 0 };
        const char *why = NULL;
        assert_int_equal(identities_read(text, accounts, &read, &why), 0);
        assert_int_equal(read.count, 2);
        assert_ptr_equal(read.items[0].caller.account, read.items[1].caller.account);
        free(read.items);
}

int main(void)
{
        const struct limits none = { .requests_per_s = 0 };
        struct row_tests all = { .count = 0 };
        accounts = accounts_new(&none, &none);
        ROWS_ADD(&all, reads_sound_lines, sound_rows);
        ROWS_ADD(&all, refuses_unsound_lines, unsound_rows);
        rows_add_one(&all, "one name has several", one_name_has_several);
        const int failed = rows_run("identity", &all);
        accounts_free(accounts);
        return failed;
}
