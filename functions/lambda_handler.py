"""AWS Lambda: an API Gateway HTTP API (payload 2.0) event becomes a WSGI call of the same application.

The application is built at import, in the runtime's init phase; the connection to Temporal is made with the
first request and lives as long as the execution environment.
"""

from apig_wsgi import make_lambda_handler

from functions.app import create_app

app = create_app()
handler = make_lambda_handler(app)
