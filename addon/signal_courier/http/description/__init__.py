"""What the API is, told to programs: OpenAPI and Swagger."""
