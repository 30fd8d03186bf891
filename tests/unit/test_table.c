/* test_table.c: tickets find their object, and nothing once it is gone. */
#include "daemon/sockets/table.h"

#include "tests/unit/rows.h"

enum { CAPACITY = 8, LAST_GENERATION = 0x3fffffff };

struct foreign_row {
        const char *name;
        uint64_t ticket;
};

/* Never given out by a table that has had one object in its first slot, which is gone. */
static const struct foreign_row foreign_rows[] = {
        { "none", 0 },
        { "gone", 1ULL << 32 },
        { "not there yet", 2ULL << 32 },
        { "another slot's", 1ULL << 32 | 1 },
        { "a slot beyond the table", 1ULL << 32 | CAPACITY },
        { "the last slot that a number can name", 1ULL << 32 | UINT32_MAX },
        { "with a mark of an event's data", 1ULL << 63 | 2ULL << 32 },
        { "all ones", UINT64_MAX },
};

static void foreign_tickets_find_nothing(void **state)
{
        const struct foreign_row *const row = *state;
        struct table table;
        int object;
        assert_true(table_init(&table, CAPACITY));
        table_remove(&table, table_add(&table, &object));
        assert_null(table_find(&table, row->ticket));
        table_free(&table);
}

static void fills_and_empties(void **state)
{
        (void)state;
        struct table table;
        int objects[CAPACITY];
        uint64_t tickets[CAPACITY], old[CAPACITY];
        assert_true(table_init(&table, CAPACITY));
        for (int round = 0; round < 100; round++) {
                for (int i = 0; i < CAPACITY; i++) {
                        tickets[i] = table_add(&table, &objects[i]);
                        assert_true(tickets[i] != 0 && tickets[i] < 1ULL << 62);
                }
                for (int i = 0; i < CAPACITY; i++) {
                        assert_ptr_equal(table_find(&table, tickets[i]), &objects[i]);
                        if (round > 0)
                                assert_null(table_find(&table, old[i]));
                }
                for (int i = 0; i < CAPACITY; i++) {
                        const int which = (i * 3 + round) % CAPACITY;
                        table_remove(&table, tickets[which]);
                        assert_null(table_find(&table, tickets[which]));
                }
                memcpy(old, tickets, sizeof old);
        }
        table_free(&table);
}

/* After a billion uses of a slot its numbers start again, at one: 0 stays no ticket. */
static void generations_wrap(void **state)
{
        (void)state;
        struct table table;
        int object;
        assert_true(table_init(&table, 1));
        table_remove(&table, table_add(&table, &object));
        table.slots[0].generation = LAST_GENERATION;
        const uint64_t last = table_add(&table, &object);
        assert_true(last < 1ULL << 62);
        table_remove(&table, last);
        const uint64_t first = table_add(&table, &object);
        assert_int_equal(first, 1ULL << 32);
        assert_null(table_find(&table, last));
        assert_ptr_equal(table_find(&table, first), &object);
        table_free(&table);
}

int main(void)
{
        static struct row_tests all;
        ROWS_ADD(&all, foreign_tickets_find_nothing, foreign_rows);
        rows_add_one(&all, "fills and empties", fills_and_empties);
        rows_add_one(&all, "generations wrap", generations_wrap);
        return rows_run("table", &all);
}
