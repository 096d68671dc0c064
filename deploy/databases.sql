-- Run once by PostgreSQL's image when its volume is new. The pages, the index of texts: lyrics, which the image makes.
CREATE DATABASE dagster;
CREATE DATABASE mlflow;
