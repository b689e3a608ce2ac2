// Starts Swagger UI on the document beside the page: /docs reads /openapi.json, /hooks/<token>/docs its hook's own.
"use strict";

(() => {
  const page = location.pathname.replace(/\/+$/, "");
  const root = location.origin + page.replace(/(\/hooks\/[^/]+)?\/docs$/, "");
  let apiToken = null;

  // With an API token the document has more in it: read it again when one is given or taken away.
  const rereads = (token) => (original, system) => (payload) => {
    const result = original(payload);
    apiToken = token(payload);
    system.specActions.download();
    return result;
  };
  const authorization = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorize: rereads((schemes) => schemes.bearer && schemes.bearer.value),
          logout: rereads(() => null),
        },
      },
    },
  });

  const ui = SwaggerUIBundle({
    url: page.replace(/docs$/, "openapi.json"),
    dom_id: "#document",
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
    plugins: [authorization],
    requestInterceptor: (request) => {
      if (request.loadSpec) {
        if (apiToken) request.headers.Authorization = `Bearer ${apiToken}`;
        return request;
      }
      // The document names the server's public URL; the page may have come by another one, and only reaches that.
      const server = ui.specSelectors.specJson().getIn(["servers", 0, "url"]);
      if (server && request.url.startsWith(server)) request.url = root + request.url.slice(server.length);
      return request;
    },
  });
})();
