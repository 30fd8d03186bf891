/* test_reader.c: what a client who follows events is written: frames, whole and in order, gaps, and signs of
 * life. */
#include "daemon/reader.h"

#include <errno.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/registry.h"
#include "daemon/sockets/store.h"
#include "tests/unit/ends.h"
#include "tests/unit/rows.h"

static const int64_t NEVER = INT64_MAX, LONG_NS = 1000;

/* A reader, the client's end of its connection, and what came there. */
struct scene {
        struct registry *registry;
        struct frames *frames;
        struct socket *socket;
        struct ends ends;
        struct reader reader;
        char *text;
        size_t size, capacity;
};

static void open_scene(struct scene *scene)
{
        *scene = (struct scene){ .capacity = 32 << 20 };
        scene->registry = registry_new(100);
        scene->frames = frames_new(scene->registry);
        scene->socket = socket_new(-1, AF_UNIX, SOCK_STREAM, 0);
        scene->text = malloc(scene->capacity);
        assert_true(scene->frames != NULL && scene->socket != NULL && scene->text != NULL);
        assert_true(ends_open(&scene->ends, AF_UNIX, SOCK_STREAM));
        scene->socket->number = 7;
        strcpy(scene->socket->stored->label, "\"quoted\"\n");
        scene->reader = (struct reader){ .fd = scene->ends.one,
                .filter = { .kinds = EVENT_ALL_KINDS, .of_all = true },
                .position = event_last() };
}

static void close_scene(struct scene *scene)
{
        reader_clear(&scene->reader);
        ends_close(&scene->ends);
        socket_release(scene->socket);
        frames_free(scene->frames);
        registry_free(scene->registry);
        free(scene->text);
}

static void publish(struct scene *scene, size_t count, enum event_kind kind)
{
        for (size_t i = 0; i < count; i++)
                event_publish(scene->socket, &(struct event_facts){ .kind = kind });
}

static void turn(struct scene *scene, int64_t now, int64_t heartbeat_ns)
{
        frames_take(scene->frames);
        reader_turn(&scene->reader, scene->frames, now, heartbeat_ns);
}

/* What the client reads. Returns how much there was. */
static size_t read_all(struct scene *scene)
{
        const size_t before = scene->size;
        ssize_t got;
        while ((got = recv(scene->ends.other, scene->text + scene->size, scene->capacity - 1 - scene->size,
                        MSG_DONTWAIT)) > 0)
                scene->size += (size_t)got;
        scene->text[scene->size] = '\0';
        return scene->size - before;
}

/* Writes and reads until there is nothing left. */
static void settle(struct scene *scene)
{
        do {
                scene->reader.blocked = false;
                turn(scene, 0, NEVER);
        } while (read_all(scene) > 0);
        assert_false(scene->reader.gone);
}

/* The numbers of all frames must follow each other, but for gaps, which say how many are missing. */
static uint64_t check_numbers(const struct scene *scene, uint64_t last)
{
        static const char gap[] = "\nevent: gap\ndata: {\"missed\":";
        const char *at = scene->text;
        uint64_t missed = 0;
        while (*at != '\0') {
                char *end;
                assert_memory_equal(at, "id: ", 4);
                const uint64_t number = strtoull(at + 4, &end, 10);
                const bool is_gap = strncmp(end, gap, sizeof gap - 1) == 0;
                const uint64_t lost = is_gap ? strtoull(end + sizeof gap - 1, NULL, 10) : 0;
                assert_int_equal(number, last + (is_gap ? lost : 1));
                missed += lost;
                last = number;
                at = strstr(end, "\n\n") + 2;
        }
        assert_int_equal(last, event_last());
        return missed;
}

static void writes_frames(void **state)
{
        (void)state;
        struct scene scene;
        open_scene(&scene);
        scene.reader.filter.kinds = EVENT_CLOSED;
        publish(&scene, 3, EVENT_MADE);
        publish(&scene, 1, EVENT_CLOSED);
        publish(&scene, 2, EVENT_BOUND);
        settle(&scene);
        char id[64];
        snprintf(id, sizeof id, "id: %llu\nevent: closed\ndata: {", (unsigned long long)event_last() - 2);
        assert_memory_equal(scene.text, id, strlen(id));
        assert_non_null(strstr(scene.text, "\"label\":\"\\\"quoted\\\"\\n\"}\n\n"));
        assert_string_equal(strstr(scene.text, "\n\n"), "\n\n");
        assert_int_equal(scene.reader.position, event_last());
        close_scene(&scene);
}

/* Far more than the connection takes, so that frames are cut wherever it pleases. */
static void goes_on_in_the_middle(void **state)
{
        (void)state;
        struct scene scene;
        const int small = 4096;
        open_scene(&scene);
        setsockopt(scene.ends.one, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        const uint64_t start = event_last();
        for (int i = 0; i < 40; i++) {
                publish(&scene, 150, EVENT_MADE);
                turn(&scene, 0, NEVER);
                assert_true(scene.reader.blocked);
                read_all(&scene);
                scene.reader.blocked = false;
        }
        settle(&scene);
        assert_int_equal(check_numbers(&scene, start), 0);
        close_scene(&scene);
}

static void tells_of_gaps(void **state)
{
        (void)state;
        struct scene scene;
        open_scene(&scene);
        const uint64_t start = event_last();
        for (int i = 0; i < 3; i++) {
                publish(&scene, EVENTS_KEPT + 1000, EVENT_MADE);
                turn(&scene, 0, NEVER); /* until it is full, and the rest is lost */
        }
        settle(&scene);
        const uint64_t missed = check_numbers(&scene, start);
        assert_true(missed > EVENTS_KEPT);
        close_scene(&scene);
}

static void gives_signs_of_life(void **state)
{
        (void)state;
        struct scene scene;
        char sign[64];
        open_scene(&scene);
        scene.reader.filter.kinds = EVENT_CLOSED;
        publish(&scene, 1, EVENT_MADE);
        turn(&scene, LONG_NS - 1, LONG_NS);
        assert_int_equal(read_all(&scene), 0);
        turn(&scene, LONG_NS, LONG_NS);
        turn(&scene, LONG_NS + 1, LONG_NS);
        read_all(&scene);
        snprintf(sign, sizeof sign, ": heartbeat\nid: %llu\n\n", (unsigned long long)event_last());
        assert_string_equal(scene.text, sign);
        close_scene(&scene);
}

static void notices_who_is_gone(void **state)
{
        (void)state;
        struct scene scene;
        open_scene(&scene);
        publish(&scene, 1, EVENT_MADE);
        end_close(&scene.ends.other);
        turn(&scene, 0, NEVER);
        assert_true(scene.reader.gone);
        close_scene(&scene);
}

int main(void)
{
        static struct row_tests all;
        rows_add_one(&all, "writes frames", writes_frames);
        rows_add_one(&all, "goes on in the middle", goes_on_in_the_middle);
        rows_add_one(&all, "tells of gaps", tells_of_gaps);
        rows_add_one(&all, "gives signs of life", gives_signs_of_life);
        rows_add_one(&all, "notices who is gone", notices_who_is_gone);
        return rows_run("readers of events", &all);
}
