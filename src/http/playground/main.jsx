// Muster's playground: GraphiQL, and above it a field for the access token.
// `npm run build` turns it into dist/, which the binary carries.

import { GraphiQL } from 'graphiql';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

import './main.css';

const TOKEN_KEY = 'muster:access-token';

const DEFAULT_QUERY = `# Ctrl+Enter runs a query, Ctrl+Space completes
# a word; the documentation is on the left.
#
# This query needs no log-in. For the others,
# run this in a new tab:
#
#   mutation {
#     logIn(input: { login: "ada", password: "" }) {
#       accessToken
#       userErrors { field message code }
#     }
#   }
#
# and paste the accessToken above.

{
  server {
    version
    signUpOpen
    time
  }
}
`;

// What is typed here may hold passwords, so that nothing outlives the tab.
const storage = window.sessionStorage;

// As it stands in the field, even when GraphiQL is told to clear its storage.
let accessToken = storage.getItem(TOKEN_KEY) ?? '';

async function fetcher(params, options) {
  const token = accessToken.trim().replace(/^Bearer\s+/i, '');
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json;q=0.9',
      ...(token && { Authorization: `Bearer ${token}` }),
      ...options?.headers,
    },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    // A proxy in between may answer with a page of its own.
    return { errors: [{ message: `HTTP ${response.status}: ${text.slice(0, 500)}` }] };
  }
}

function Bar() {
  const [token, setToken] = useState(accessToken);
  const keep = (event) => {
    accessToken = event.target.value;
    setToken(accessToken);
    storage.setItem(TOKEN_KEY, accessToken);
  };
  return (
    <header className="bar">
      <h1>Muster playground</h1>
      <label>
        <span aria-hidden="true">Access token</span>
        <input
          type="password"
          aria-label="Access token"
          autoComplete="off"
          spellCheck={false}
          placeholder="from logIn"
          value={token}
          onChange={keep}
        />
      </label>
    </header>
  );
}

function Playground() {
  return (
    <>
      <Bar />
      <main className="editor">
        <GraphiQL fetcher={fetcher} defaultQuery={DEFAULT_QUERY} storage={storage}>
          <GraphiQL.Logo>
            <span />
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

createRoot(document.getElementById('playground')).render(<Playground />);
