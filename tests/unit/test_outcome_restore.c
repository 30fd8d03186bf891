/* test_outcome_restore.c: the next process goes on with what the one before has kept, and with what it was in
 * the middle of. */
#include "tests/unit/claims.h"

/* It is this very memory, mapped once more. */
static struct store_image *open_image(void)
{
        const char *reason;
        assert_true(store_open());
        struct store_image *const image = store_image_open(store_fd(), &reason);
        assert_non_null(image);
        return image;
}

/* What other tests left is not live any more. */
static void clear(void)
{
        struct store_image *const image = open_image();
        for (struct stored_outcome *slot = NULL;
                (slot = store_image_next(image, STORE_OUTCOMES, slot)) != NULL;)
                slot->number = 0;
        store_image_close(image);
}

static struct stored_outcome *find_slot(const struct store_image *image, const char *key)
{
        struct stored_outcome *slot = NULL;
        while ((slot = store_image_next(image, STORE_OUTCOMES, slot)) != NULL &&
                strcmp(slot->key, key) != 0) {
        }
        assert_non_null(slot);
        return slot;
}

/* Another process begins, with these bounds; the first one's slots are gone then. */
static struct outcomes *restart(struct outcomes *outcomes, const struct outcome_bounds *bounds)
{
        enum { SLOTS_MAX = 16 };
        struct store_image *const image = open_image();
        struct stored_outcome *old[SLOTS_MAX], *slot = NULL;
        size_t count = 0;
        while ((slot = store_image_next(image, STORE_OUTCOMES, slot)) != NULL && count < SLOTS_MAX)
                old[count++] = slot;
        done(outcomes);
        struct outcomes *const next = begin(bounds);
        assert_true(outcomes_restore(next, image));
        while (count > 0)
                old[--count]->number = 0;
        store_image_close(image);
        return next;
}

static void goes_on(void **state)
{
        (void)state;
        clear();
        static char body[9001];
        memset(body, 'b', sizeof body - 1);
        struct outcomes *outcomes = begin(&loose);
        make_as(outcomes, "one", "small", "small");
        make_as(outcomes, "two", "large", body);
        assert_int_equal(claim(outcomes, "running"), CLAIM_NEW);
        const uint64_t number = outcome_number(got.outcome);
        assert_int_equal(claim(outcomes, "dropped"), CLAIM_NEW);
        outcome_drop(outcomes, got.outcome);
        outcomes = restart(outcomes, &loose);
        assert_int_equal(claim(outcomes, "small"), CLAIM_DONE);
        assert_memory_equal(got.reply.body, "small", 5);
        assert_int_equal(got.reply.status, 201);
        assert_string_equal(got.reply.media, "application/json");
        assert_string_equal(got.reply.location, "/v1/sockets/a-1");
        assert_int_equal(claim_as(outcomes, "two", "large", 'y'), CLAIM_OTHER);
        assert_int_equal(claim_as(outcomes, "two", "large", 'x'), CLAIM_DONE);
        assert_int_equal(got.reply.size, sizeof body - 1);
        assert_memory_equal(got.reply.body, body, sizeof body - 1);
        assert_false(outcomes_have(outcomes, "one", "dropped"));
        assert_int_equal(claim(outcomes, "running"), CLAIM_INTERRUPTED);
        assert_int_equal(outcome_number(got.outcome), number);
        clear();
        done(outcomes);
}

/* The next process may keep less, for a shorter time. */
static void keeps_less_from_then_on(void **state)
{
        (void)state;
        clear();
        struct outcomes *outcomes = begin(&loose);
        assert_int_equal(claim(outcomes, "interrupted"), CLAIM_NEW);
        make(outcomes, "a");
        make(outcomes, "b");
        make(outcomes, "c");
        outcomes = restart(
                outcomes, &(struct outcome_bounds){ .count = 2, .bytes = 1 << 20, .age_ns = loose.age_ns });
        assert_false(outcomes_have(outcomes, "one", "a"));
        assert_false(outcomes_have(outcomes, "one", "b"));
        assert_true(outcomes_have(outcomes, "one", "c"));
        assert_true(outcomes_have(outcomes, "one", "interrupted"));
        caller_pass_time(waiter, 25 * CALLER_MS);
        outcomes = restart(
                outcomes, &(struct outcome_bounds){ .count = 9, .bytes = 1 << 20, .age_ns = 20 * CALLER_MS });
        assert_int_equal(claim(outcomes, "another"), CLAIM_NEW);
        assert_false(outcomes_have(outcomes, "one", "c"));
        clear();
        done(outcomes);
}

/* Damage, each to an outcome that would be kept. */
static void damage_owner(struct stored_outcome *slot)
{
        memset(slot->owner, 'o', sizeof slot->owner);
}

static void damage_key(struct stored_outcome *slot)
{
        memset(slot->key, 'k', sizeof slot->key);
}

static void empty_key(struct stored_outcome *slot)
{
        slot->key[0] = '\0';
}

static void damage_number(struct stored_outcome *slot)
{
        slot->number = UINT64_MAX;
}

static void damage_status(struct stored_outcome *slot)
{
        slot->status = 99;
}

static void damage_media(struct stored_outcome *slot)
{
        memcpy(slot->media, "a\r\nb", 5);
}

static void damage_location(struct stored_outcome *slot)
{
        memset(slot->location, 'l', sizeof slot->location);
}

static void damage_size(struct stored_outcome *slot)
{
        slot->body_size = SMALL_REPLY_SIZE + 1;
}

static void damage_sizes(struct stored_outcome *slot)
{
        slot->body_size = UINT64_MAX;
        slot->members_size = 2;
}

static void damage_extent(struct stored_outcome *slot)
{
        slot->extent = 12;
}

static void move_extent(struct stored_outcome *slot)
{
        slot->extent = UINT64_C(1) << 62;
}

static const struct damage {
        const char *name;
        void (*damage)(struct stored_outcome *slot);
} damages[] = {
        { "an owner without an end", damage_owner },
        { "a key without an end", damage_key },
        { "no key", empty_key },
        { "a number that was never given", damage_number },
        { "a status that is none", damage_status },
        { "a media type with a line's end", damage_media },
        { "a location without an end", damage_location },
        { "a size that does not fit", damage_size },
        { "sizes that wrap around", damage_sizes },
        { "an extent of its own", damage_extent },
        { "an extent beyond", move_extent },
};

static void leaves_out_what_is_damaged(void **state)
{
        const struct damage *const damage = *state;
        clear();
        struct outcomes *outcomes = begin(&loose);
        make(outcomes, "damaged");
        make(outcomes, "sound");
        struct store_image *const image = open_image();
        damage->damage(find_slot(image, "damaged"));
        store_image_close(image);
        outcomes = restart(outcomes, &loose);
        assert_false(outcomes_have(outcomes, "one", "damaged"));
        assert_true(outcomes_have(outcomes, "one", "sound"));
        clear();
        done(outcomes);
}

/* A call that sends is killed: before, between and after what the kernel does, and what is noted of it. */
static const struct kill {
        const char *name;
        int type;
        int before, sent; /* by others, and by the call */
        bool unnoted;     /* the last send is only noted by the kernel */
        uint64_t taken;
        int after; /* by others, once the call's turn was over */
} kills[] = {
        { "nothing sent", SOCK_STREAM, 3, 0, false, 0, 0 },
        { "bytes sent", SOCK_STREAM, 3, 4, false, 16, 0 },
        { "bytes sent, and killed then", SOCK_STREAM, 2, 3, true, 12, 0 },
        { "messages sent", SOCK_DGRAM, 3, 4, false, 4, 0 },
        { "a message sent, and killed then", SOCK_DGRAM, 0, 1, true, 1, 0 },
        { "bytes sent, and more by others before the reply is kept", SOCK_STREAM, 3, 4, false, 16, 2 },
        { "messages sent, and more by others before the reply is kept", SOCK_DGRAM, 3, 4, false, 4, 2 },
};

static void send_some(struct socket *socket, int count)
{
        struct iovec piece = { .iov_base = "four", .iov_len = 4 };
        const struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        for (int i = 0; i < count; i++)
                assert_int_equal(tally_send(&socket->stored->sent, socket->fd, &message, 0), 4);
}

static void knows_what_was_sent(void **state)
{
        const struct kill *const kill = *state;
        clear();
        struct outcomes *outcomes = begin(&loose);
        struct stage stage;
        stage_set(&stage, AF_UNIX, kill->type);
        stage.socket->number = ++*store_last_number();
        socket_store(stage.socket);
        stage.socket->stored->number = stage.socket->number;
        send_some(stage.socket, kill->before);
        const uint64_t position = socket_position(stage.socket, DIRECTION_SEND);
        assert_int_equal(claim(outcomes, "key"), CLAIM_NEW);
        assert_int_equal(outcome_start(got.outcome, stage.socket), position);
        send_some(stage.socket, kill->sent);
        struct tally *const tally = &stage.socket->stored->sent;
        if (kill->unnoted) {
                tally->bytes = tally->bytes_before;
                tally->messages = tally->messages_before;
                tally->header.msg_len = 4;
        }
        if (kill->after > 0) {
                assert_true(outcome_note_sent(got.outcome, stage.socket));
                send_some(stage.socket, kill->after);
        }
        outcomes = restart(outcomes, &loose);
        /* Others send before it comes again, and it is killed once more. */
        send_some(stage.socket, 2);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(claim(outcomes, "key"), CLAIM_INTERRUPTED);
                const uint64_t now = socket_position(stage.socket, DIRECTION_SEND);
                assert_int_equal(now - outcome_start(got.outcome, stage.socket), kill->taken);
                if (i == 0)
                        outcomes = restart(outcomes, &loose);
        }
        send_some(stage.socket, 1);
        assert_true(outcome_note_sent(got.outcome, stage.socket));
        clear();
        stage_clean(waiter, &stage);
        done(outcomes);
}

int main(void)
{
        struct row_tests all = { .count = 0 };
        rows_add_one(&all, "goes on", goes_on);
        rows_add_one(&all, "keeps less from then on", keeps_less_from_then_on);
        ROWS_ADD(&all, leaves_out_what_is_damaged, damages);
        ROWS_ADD(&all, knows_what_was_sent, kills);
        const int failed = rows_run("outcome_restore", &all);
        waiter_free(waiter);
        return failed;
}
