/* op_document.c: the operations that hand out the contract itself, in its two forms. */
#include <pthread.h>
#include <string.h>

#include "api/call.h"
#include "api/openapi.h"
#include "api/record.h"
#include "api/yaml.h"

static pthread_once_t texts_once = PTHREAD_ONCE_INIT;
static char *yaml_text, *plain_text;

static void make_texts(void)
{
        json_auto_t *document = openapi_document();
        if (!document)
                return;
        yaml_text = yaml_print(document);
        plain_text = json_dumps(document, JSON_COMPACT);
}

const char *openapi_yaml_text(void)
{
        pthread_once(&texts_once, make_texts);
        return yaml_text;
}

const char *openapi_json_text(void)
{
        pthread_once(&texts_once, make_texts);
        return plain_text;
}

const struct fields openapi_yaml_request_fields = NO_FIELDS;
const struct fields openapi_json_request_fields = NO_FIELDS;

static const struct media yaml_media[] = { { .type = "application/yaml", .example = "\"openapi: 3.1.0\\n\"" },
        { .type = NULL } };
static const struct field yaml_document_rows[] = {
        FIELD(struct yaml_document, document, "The document.", .min = 1),
};
const struct fields yaml_document_fields =
        FIELDS(struct yaml_document, yaml_document_rows, .media = yaml_media);

static const struct media json_media[] = {
        { .type = "application/json", .example = "{\"openapi\":\"3.1.0\"}" }, { .type = NULL }
};
static const struct field json_document_rows[] = {
        FIELD(struct json_document, document, "The document.", .min = 1),
};
const struct fields json_document_fields =
        FIELDS(struct json_document, json_document_rows, .media = json_media);

/* The texts outlive every call, so replies may point into them. */
static struct result reply_text(const char *source, struct text *out)
{
        if (!source)
                return refused("malloc", ENOMEM);
        *out = (struct text){ .bytes = source, .size = strlen(source) };
        return DONE;
}

struct result run_openapi_yaml(
        struct call *call, const struct openapi_yaml_request *request, struct yaml_document *reply)
{
        (void)call;
        (void)request;
        return reply_text(openapi_yaml_text(), &reply->document);
}

struct result run_openapi_json(
        struct call *call, const struct openapi_json_request *request, struct json_document *reply)
{
        (void)call;
        (void)request;
        return reply_text(openapi_json_text(), &reply->document);
}
