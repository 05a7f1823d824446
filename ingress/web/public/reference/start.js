// Shows the OpenAPI document in the page at /api/docs. The renderer is a file beside this one.

window.SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // No document leaves this origin, and the page sends no request of the API.
  validatorUrl: null,
  supportedSubmitMethods: [],
});
