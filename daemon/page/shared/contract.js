/* contract.js: /openapi.json, as forms and the reference need it. */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {'path' | 'query' | 'body'} in
 * @property {boolean} required
 * @property {string} [description]
 * @property {object} schema
 * @property {any} [example]  what the contract's example of the whole request says
 * @property {any} [hint]  a value that it may have
 *
 * @typedef {object} Operation
 * @property {string} name
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string} tag
 * @property {Parameter[]} parameters  in the path, and in the body where the operation has one, else in the query
 * @property {boolean} hasBody
 * @property {boolean} takesRaw  a body of application/octet-stream is its payload
 * @property {Record<string, object>} responses
 */

/** The object itself: what "$ref" points to, with the members that stand beside it. */
export function resolve(document, value) {
    if (typeof value?.$ref !== 'string') return value
    const { $ref, ...beside } = value
    const found = $ref
        .slice(2)
        .split('/')
        .reduce((at, name) => at[name], document)
    return { ...resolve(document, found), ...beside }
}

const hintOf = (schema) => schema?.examples?.[0] ?? schema?.default

/* Parameters of the query may be JSON there. */
const schemaOf = (parameter) => parameter.schema ?? parameter.content?.['application/json']?.schema ?? {}

function readParameter(document, reference) {
    const parameter = resolve(document, reference)
    const schema = resolve(document, schemaOf(parameter))
    const { name, description, required = false } = parameter
    const hint = parameter.example ?? hintOf(schema)
    return { name, description, required, in: parameter.in, schema, hint, example: required ? hint : undefined }
}

function readBody(document, { schema: reference, example = {} }) {
    const schema = resolve(document, reference)
    return Object.entries(schema.properties ?? {}).map(([name, property]) => {
        const resolved = resolve(document, property)
        const required = schema.required?.includes(name) ?? false
        return {
            name,
            description: resolved.description,
            required,
            in: 'body',
            schema: resolved,
            hint: example[name] ?? hintOf(resolved),
            example: example[name],
        }
    })
}

function readOperation(document, path, method, row, shared) {
    const parameters = [...shared, ...(row.parameters ?? [])].map((reference) => readParameter(document, reference))
    const content = row.requestBody?.content
    const body = content?.['application/json']
    return {
        name: row.operationId,
        method: method.toUpperCase(),
        path,
        summary: row.summary,
        tag: row.tags?.[0] ?? '',
        parameters: body ? [...parameters.filter((each) => each.in === 'path'), ...readBody(document, body)] : parameters,
        hasBody: body !== undefined,
        takesRaw: content?.['application/octet-stream'] !== undefined,
        responses: row.responses ?? {},
    }
}

/** @returns {Operation[]} */
export const readOperations = (document) =>
    Object.entries(document.paths).flatMap(([path, { parameters: shared = [], ...rows }]) =>
        Object.entries(rows)
            .filter(([, row]) => row.operationId)
            .map(([method, row]) => readOperation(document, path, method, row, shared)),
    )

/** The operations by the tags that the document lists. @returns {[string, Operation[]][]} */
export const byTag = (document, operations) =>
    document.tags.map(({ name }) => [name, operations.filter(({ tag }) => tag === name)])

/** Which JSON types a value may have: "string", "integer", "array", … */
export function typesOf(document, reference) {
    const schema = resolve(document, reference)
    const branches = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]
    const own = [schema.type ?? []].flat()
    const literal = schema.const ?? schema.enum?.[0]
    if (own.length === 0 && literal !== undefined) own.push(typeof literal)
    return new Set([...own, ...branches.flatMap((branch) => [...typesOf(document, branch)])])
}

/** The names that a value may have, where the contract lists them. @returns {string[]} */
export function namesOf(document, reference) {
    const schema = resolve(document, reference)
    const branches = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])]
    const own = [...(schema.enum ?? []), schema.const].filter((each) => typeof each === 'string')
    return [...new Set([...own, ...branches.flatMap((branch) => namesOf(document, branch))])]
}
